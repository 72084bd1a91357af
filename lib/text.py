"""Texts made comparable, masked, harmless to others' programs, short, and in a language."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

DASHES = "‐‑‒–—―−﹘﹣－"
SINGLE_QUOTES = "‘’‚‛′`´＇"
DOUBLE_QUOTES = "“”„‟″«»＂"
_PLAIN = str.maketrans(
    {
        **dict.fromkeys(DASHES, "-"),
        **dict.fromkeys(SINGLE_QUOTES, "'"),
        **dict.fromkeys(DOUBLE_QUOTES, '"'),
    }
)
FORMULA_STARTS = frozenset("=+-@|%\t\r\n")
QUOTES = frozenset("'\"" + SINGLE_QUOTES + DOUBLE_QUOTES)
# Letters and symbols by category, and yet nothing is seen of them.
BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")

_IMPOSSIBLE = re.compile("[\x00\ud800-\udfff]")

LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,6}")
LONGEST_LOCALE = 35
RTL_LANGUAGES = frozenset(
    "ar arc azb bal ckb dv fa glk he iw ks lrc mzn nqo pnb ps sd skr syr ug ur yi".split()
)
RTL_SCRIPTS = frozenset("Adlm Arab Hebr Mand Mend Nkoo Rohg Samr Syrc Thaa".split())


def fold(text: str) -> str:
    """The text as it is compared: case, width, dashes, quotes and blanks made alike."""
    plain = unicodedata.normalize("NFKC", text.translate(_PLAIN)).casefold().translate(_PLAIN)
    seen = "".join(" " if _is_control(letter) else letter for letter in plain if _shows(letter))
    return " ".join(unicodedata.normalize("NFKC", seen).split())


def mask_email(email: str) -> str:
    """An address of which only initials and the last label show: `j***@e***.com`."""
    local, at, domain = email.strip().rpartition("@")
    if not at:
        return "***" if email else ""
    name, dot, ending = domain.rpartition(".")
    if not dot:
        name, ending = domain, ""
    return f"{local[:1]}***@{name[:1]}***{dot}{ending}"


def mask_phone(phone: str) -> str:
    """A number of which only the last two digits show, and none of a very short one."""
    digits = [letter for letter in phone if letter.isdecimal()]
    shown = 2 if len(digits) > 4 else 0
    return "*" * (len(digits) - shown) + "".join(digits[len(digits) - shown :])


def mask_name(name: str) -> str:
    """A name of which only the first letter shows: `J.`"""
    letters = [letter for letter in unicodedata.normalize("NFC", name) if letter.isalnum()]
    if not letters:
        return "*" if name else ""
    return f"{letters[0]}."


def strip_controls(text: str, *, keep_lines: bool = False) -> str:
    """The text without control characters and lone surrogates; line ends become blanks.

    Bidirectional marks stay, since right-to-left texts need them; pages isolate them.
    """
    return "".join(_harmless(letter, keep_lines=keep_lines) for letter in text)


def is_storable(text: str) -> bool:
    """Whether every database can hold the text: no NUL in it, and no lone surrogate."""
    return _IMPOSSIBLE.search(text) is None


def strip_all(value: Any) -> Any:
    """A plain value with every text in it, names too, less what no database can hold."""
    if isinstance(value, str):
        return _IMPOSSIBLE.sub("", value)
    if isinstance(value, dict):
        return {strip_all(name): strip_all(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(strip_all(one) for one in value)
    return value


def spreadsheet_safe(cell: str) -> str:
    """The cell as a spreadsheet shows it and never runs it: a formula gets a `'` in front.

    Blanks, quotes and invisible characters in front of the sign do not help it, nor do its
    full-width forms. A phone number such as +91… gets the `'` too: Excel would make it a sum.
    """
    for letter in cell:
        if _is_formula_start(letter):
            return "'" + cell
        if not _is_passed_over(letter):
            return cell
    return cell


def shorten(text: str, limit: int) -> str:
    """The text in at most `limit` characters, the last being … if something was cut off."""
    if len(text) <= limit:
        return text
    if limit < 1:
        return ""
    end = limit - 1
    # A letter keeps its accents, an emoji its modifiers: both follow it.
    while end > 0 and _continues(text[end - 1 : end + 1]):
        end -= 1
    return text[:end].rstrip() + "…"


def direction(locale: str) -> str:
    """`rtl` or `ltr`: the way the locale is written; a script subtag decides if there is one."""
    language, *rest = _subtags(locale) or ["en"]
    scripts = [part for part in rest if len(part) == 4 and part.isalpha()]
    if scripts:
        return "rtl" if scripts[0] in RTL_SCRIPTS else "ltr"
    return "rtl" if language in RTL_LANGUAGES else "ltr"


def locale_chain(locale: str | None, default: str) -> list[str]:
    """Where to look for a translation, best first: `pt-BR`, `pt`, then the default."""
    chain: list[str] = []
    for name in (locale or "", default):
        parts = _subtags(name)
        chain += ["-".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return list(dict.fromkeys(chain)) or [default]


def _subtags(locale: str) -> list[str]:
    """The canonical subtags of a locale before any extension; none if it is no locale."""
    if len(locale) > LONGEST_LOCALE or not LOCALE.fullmatch(locale):
        return []
    language, *rest = re.split("[-_]", locale)
    tags = [language.lower()]
    for part in rest:
        if len(part) == 1:
            break
        tags.append(_subtag(part))
    return tags


def _subtag(part: str) -> str:
    if len(part) == 2 and part.isalpha():
        return part.upper()
    return part.title() if len(part) == 4 and part.isalpha() else part.lower()


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) == "Cc"


def _shows(letter: str) -> bool:
    return unicodedata.category(letter) not in ("Cf", "Cs")


def _harmless(letter: str, *, keep_lines: bool) -> str:
    if letter in "\t\n\r\x0b\x0c\x85\u2028\u2029":
        return letter if keep_lines and letter in "\t\n" else " "
    return "" if unicodedata.category(letter) in ("Cc", "Cs") else letter


def _is_formula_start(letter: str) -> bool:
    plain = unicodedata.normalize("NFKC", letter)[:1]
    return plain in FORMULA_STARTS or letter == "−"


def _is_passed_over(letter: str) -> bool:
    if letter.isspace() or letter in QUOTES or letter in BLANKS:
        return True
    return unicodedata.category(letter) in ("Cf", "Cc", "Cs", "Mn")


def _continues(pair: str) -> bool:
    """Whether the second of two characters belongs to the first."""
    if "\u200d" in pair or "\U0001f3fb" <= pair[1] <= "\U0001f3ff":
        return True
    return unicodedata.category(pair[1])[0] == "M"
