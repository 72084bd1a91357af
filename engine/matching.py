"""Which option does this free text mean; is this an e-mail address, is this a phone number."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, JaroWinkler

from lib.text import fold, strip_controls

LONGEST_TEXT = 300
LONGEST_CHOICES = 4000
MOST_CHOICES = 100
MOST_SUGGESTIONS = 3
LONGEST_EMAIL = 254
LONGEST_LOCAL_PART = 64
LONGEST_PHONE = 40

# Below this nobody would call two texts near.
NEAR = 58.0
# Labels that are ordinary words of any sentence: equal they count, inside a text they do not.
EVERYDAY = frozenset("all any both each me no none not ok okay other others something yes".split())
# With one of these a sentence may say the opposite, or name an alternative.
DOUBTFUL = frozenset(
    "not no never nor neither without except isnt dont doesnt arent wasnt instead rather former"
    " formerly sold closed or ohne nicht kein keine keinen nie non pas sans sin nunca nao nahi"
    " नहीं ليس لا".split()
)
# What people write around a number of people without changing it.
AROUND_A_NUMBER = frozenset(
    "a about almost and approx approximately are around at employee employees have here i im in is"
    " it member members of only our people person persons roughly so some staff team total us we"
    " were with worker workers".split()
)
# Signs that change what a number says.
TELLING = frozenset("-+.,%/<>≤≥")
RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")
OPEN_RANGE = re.compile(r"([0-9]{1,9})\+")
# Addresses that need no look at their letters: nothing of them could be read in two ways.
PLAIN_EMAIL = re.compile(r"(?=[^@]{1,64}@)([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@([A-Za-z0-9.-]+)")
# Names of a house and not of a person, in which letters of any size are the same.
SHARED_MAILBOXES = frozenset(CASE_INSENSITIVE_MAILBOX_NAMES)
DIGIT = re.compile("[0-9]")
# Numbers that say their country: nothing stands in them but digits, apart as people part them.
INTERNATIONAL = re.compile(r"\+[1-9][0-9]*(?:[ -][0-9]+)*")
PARTING = str.maketrans("", "", "+ -")
PLAIN_PHONE = re.compile(r"[0-9+ ()./-]+")
PHONE = re.compile(
    r"[ (]*\+?[0-9 ()./-]+(?:(?:ext\.?|extension|x|#) ?[0-9]{1,6} ?)?", re.IGNORECASE
)


@dataclass(frozen=True)
class OptionWords:
    """An option and what people call it: its labels (every translation) and its synonyms."""

    id: str
    labels: tuple[str, ...]
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Match:
    """The option a text means with certainty, or else those it may mean, the likeliest first.

    `exact` is true if the text is one of the option's labels: a click, or as good as one.
    """

    option_id: str | None
    exact: bool = False
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Phone:
    """A number as it was typed, and in E.164 if a numbering plan knows it."""

    typed: str
    e164: str | None


@dataclass(frozen=True)
class _Word:
    """One of an option's words: folded, in tokens, and without what spelling leaves open."""

    folded: str
    tokens: tuple[str, ...]
    loose: str


@dataclass(frozen=True)
class _Span:
    """The tokens of a text, from `start` up to `end`, that are an option's words."""

    option_id: str
    start: int
    end: int


def match_option(text: str, options: Sequence[OptionWords]) -> Match:
    """The option that the text means: for certain, or only perhaps (`suggestions`)."""
    folded = fold(text[: LONGEST_TEXT + 1])
    for option in options:
        if folded and folded in {fold(label) for label in option.labels}:
            return Match(option.id, exact=True)
    # The rules for certainty, the strictest first; the first that finds anything decides.
    tokens = _tokens(folded)
    found: Sequence[str] = ()
    for rule in (_equal, _in_range, _contained):
        found = found or rule(folded, tokens, options)
    if len(found) == 1 and len(text) <= LONGEST_TEXT and not _is_doubtful(folded, found, options):
        return Match(found[0])
    return Match(None, suggestions=_suggestions(folded, tokens, options, found))


def split_choices(raw: str, labels: Sequence[str] = ()) -> list[str]:
    """The choices in a string: one, a JSON list, or several between commas.

    A comma inside one of the known labels parts nothing. Repetitions count once.
    """
    text = raw[:LONGEST_CHOICES].strip()
    listed = _json_list(text) if text.startswith("[") else None
    choices = listed if listed is not None else _between_commas(text, labels)
    unique = {fold(choice): choice.strip() for choice in reversed(choices) if choice.strip()}
    return list(reversed(unique.values()))


def parse_email(text: str, *, allow_test: bool) -> str | None:
    """The address in its normal form, or None if it cannot be one; nobody is asked over the net.

    `.test` addresses, which reach nobody, only if `allow_test`.
    """
    if len(text) > 2 * LONGEST_EMAIL or not 3 <= len(text.strip()) <= LONGEST_EMAIL:
        return None
    if "=?" in text:
        # Allowed by the letter of the standard, and in a header it would be decoded.
        return None
    address = text.strip()
    if plain := PLAIN_EMAIL.fullmatch(address):
        name = plain[1] if plain[1].lower() not in SHARED_MAILBOXES else plain[1].lower()
        domain = _plain_domain(plain[2], allow_test)
        if domain is None or domain.isascii():
            return domain and f"{name}@{domain}"
    return _email(address, allow_test)


def parse_phone(text: str, region: str | None) -> Phone | None:
    """The number, read in the region unless it names its country, or None if it cannot be one.

    Seven to fifteen digits that no numbering plan knows are kept as typed.
    """
    typed = text.strip() if len(text) <= 2 * LONGEST_PHONE else ""
    if len(typed) <= LONGEST_PHONE and INTERNATIONAL.fullmatch(typed):
        digits = typed.translate(PARTING)
        if 7 <= len(digits) <= 15 and (known := _international(digits)) is not None:
            return Phone(typed, f"+{digits}" if phonenumbers.is_valid_number(known) else None)
    if PLAIN_PHONE.fullmatch(typed):
        plain = " ".join(typed.split())
    elif any(unicodedata.category(letter) in ("Cc", "No") for letter in typed):
        return None
    else:
        plain = fold("".join(map(_ascii_digit, typed)))
    if not typed or len(plain) > LONGEST_PHONE or not PHONE.fullmatch(plain):
        return None
    number = re.split("[ex#]", plain)[0]
    if not 7 <= len(DIGIT.findall(number)) <= 15:
        return None
    return Phone(typed, _e164(number, region))


def _email(address: str, allow_test: bool) -> str | None:
    try:
        found = validate_email(address, check_deliverability=False, test_environment=allow_test)
    except (EmailNotValidError, UnicodeError):
        return None
    too_long = len(found.local_part.encode()) > LONGEST_LOCAL_PART
    return None if too_long else found.normalized


@lru_cache(maxsize=8192)
def _plain_domain(domain: str, allow_test: bool) -> str | None:
    """The domain in its normal form, None if it cannot be one; a file names few, and often."""
    found = _email(f"x@{domain}", allow_test)
    return found and found.partition("@")[2]


def calling_code(region: str) -> str | None:
    """The `+91` of a region, as people write it; None for a region that has none."""
    code = phonenumbers.country_code_for_region(region.upper())
    return f"+{code}" if code else None


def _equal(folded: str, tokens: list[str], options: Sequence[OptionWords]) -> list[str]:
    """Options one of whose words is the text, but for spelling such as `E commerce`, `Rs 2-5`."""
    spelled = [option.id for option in options if _is_spelled(folded, option)]
    key = _loose(folded)
    if spelled or not key:
        return spelled
    return [option.id for option in options if any(key == word.loose for word in _words(option))]


def _is_spelled(folded: str, option: OptionWords) -> bool:
    return any(folded == word.folded for word in _words(option))


def _in_range(folded: str, tokens: list[str], options: Sequence[OptionWords]) -> list[str]:
    """Options that are a range which holds the number the text names, and hardly a word more."""
    numbers = _numbers(tokens)
    others = {token for token in tokens if not (token.isascii() and token.isdigit())}
    if not others <= AROUND_A_NUMBER or not 1 <= len(numbers) <= 2:
        return []
    # `3.5` and `1,000` are one number to people, and two tokens to us.
    if re.search("[.,][0-9]", folded) or folded.startswith("-"):
        return []
    if len(numbers) == 2 and not RANGE.search(_loose(folded)):
        return []
    return [option.id for option in options if _holds(option, numbers)]


def _numbers(tokens: list[str]) -> list[int]:
    return [int(word) for word in tokens if word.isascii() and word.isdigit() and len(word) < 10]


def _holds(option: OptionWords, values: Sequence[int]) -> bool:
    return any(
        all(low <= value <= high for value in values)
        for low, high in filter(None, (_range(word.loose) for word in _words(option)))
    )


def _range(key: str) -> tuple[float, float] | None:
    """The bounds that a label such as `2–5` or `50+` names."""
    if closed := RANGE.fullmatch(key):
        return float(closed[1]), float(closed[2])
    if above := OPEN_RANGE.fullmatch(key):
        # `50+` beside `21–50` begins above 50: both hold it, and so neither is certain.
        return float(above[1]), float("inf")
    return None


def _contained(folded: str, tokens: list[str], options: Sequence[OptionWords]) -> list[str]:
    """Options whose words stand in the text, whole or with a slip of the finger."""
    spans = [span for option in options for span in _spans(tokens, option)]
    # A longer match explains a shorter one inside it: `coffee shop` is no `shop`.
    places = {(span.start, span.end) for span in spans}
    widest = {place for place in places if not any(_is_within(place, other) for other in places)}
    return list(dict.fromkeys(s.option_id for s in spans if (s.start, s.end) in widest))


def _spans(tokens: list[str], option: OptionWords) -> Iterator[_Span]:
    for word in _words(option):
        wanted = word.tokens
        if not _may_stand_inside(wanted):
            continue
        for size in {max(1, len(wanted) - 1), len(wanted), len(wanted) + 1}:
            for start in range(len(tokens) - size + 1):
                if _is_same_phrase(tokens[start : start + size], wanted):
                    yield _Span(option.id, start, start + size)


def _may_stand_inside(wanted: Sequence[str]) -> bool:
    """Whether words say enough to be recognised inside a sentence; numbers never do."""
    phrase = "".join(wanted)
    return len(phrase) >= 3 and phrase not in EVERYDAY and not _has_digit(phrase)


def _is_same_phrase(tokens: Sequence[str], wanted: Sequence[str]) -> bool:
    if len(tokens) == len(wanted):
        return all(map(_is_same_word, tokens, wanted))
    return "".join(tokens) == "".join(wanted)


def _is_same_word(token: str, wanted: str) -> bool:
    """Whether a word is the wanted one, its plural, or a close slip of it."""
    if token == wanted or token in (wanted + "s", wanted + "es"):
        return True
    shorter = min(len(token), len(wanted))
    # Short words have too many real neighbours (demo, memo); digits are never a slip.
    if shorter < 5 or token[0] != wanted[0] or _has_digit(token + wanted):
        return False
    if shorter == 5:
        return token[-1] == wanted[-1] and sorted(token) == sorted(wanted)
    if shorter < 8:
        return OSA.distance(token, wanted) == 1
    return fuzz.ratio(token, wanted) >= 84 and JaroWinkler.similarity(token, wanted) >= 0.93


def _is_within(place: tuple[int, int], other: tuple[int, int]) -> bool:
    return place != other and other[0] <= place[0] and place[1] <= other[1]


def _is_doubtful(folded: str, found: Sequence[str], options: Sequence[OptionWords]) -> bool:
    """Whether the sentence around the words may mean something else."""
    if found[0] in _equal(folded, [], options):
        return False
    return "?" in folded or not DOUBTFUL.isdisjoint(_tokens(folded.replace("'", "")))


def _suggestions(
    folded: str, tokens: list[str], options: Sequence[OptionWords], found: Sequence[str]
) -> tuple[str, ...]:
    """Up to three options: those found, those that hold a number of the text, then the near."""
    scores = {option.id: _nearness(folded, tokens, option) for option in options}
    near = sorted((id_ for id_ in scores if scores[id_] >= NEAR), key=lambda id_: -scores[id_])
    numbers = _numbers(tokens)
    held = [option.id for option in options if any(_holds(option, [value]) for value in numbers)]
    return tuple(dict.fromkeys([*found, *held, *near]))[:MOST_SUGGESTIONS]


def _nearness(folded: str, tokens: list[str], option: OptionWords) -> float:
    """How like an option's words the text is, 0 to 100: as a whole, or word against word."""
    best = 0.0
    telling = {token for token in tokens if len(token) >= 4}
    for word in _words(option):
        if _has_digit(folded) and _has_digit(word.folded):
            best = max(best, fuzz.ratio(_loose(folded), word.loose))
            continue
        parts = [part for part in word.tokens if len(part) >= 4]
        pairs = [0.9 * fuzz.ratio(token, part) for token in telling for part in parts]
        best = max(best, fuzz.ratio(folded, word.folded), *pairs)
    return best


@lru_cache(maxsize=2048)
def _words(option: OptionWords) -> tuple[_Word, ...]:
    """What people call the option, made ready to compare; options are few and asked often."""
    folded = dict.fromkeys(fold(word) for word in (*option.labels, *option.synonyms))
    return tuple(_Word(word, tuple(_tokens(word)), _loose(word)) for word in folded if word)


def _tokens(folded: str) -> list[str]:
    """The words and numbers of a folded text; a mark belongs to its letter."""
    kept = (letter if _is_of_word(letter) else " " for letter in folded)
    return "".join(kept).split()


def _is_of_word(letter: str) -> bool:
    return letter.isalnum() or unicodedata.category(letter)[0] == "M"


def _loose(folded: str) -> str:
    """The text without blanks, currency signs and punctuation; `2 to 5` is `2-5`."""
    text = re.sub(r"(?<=[0-9]) ?(?:to|-) ?(?=[0-9])", "-", folded)
    text = re.sub(r"(?<=[0-9]) ?plus(?![a-z])", "+", text)
    text = re.sub(r"(?<![a-z])(?:rs|inr)(?![a-z])", "", text)
    kept = (letter for letter in text if _is_of_word(letter) or letter in TELLING)
    return re.sub(r"[-.,](?![0-9])", "", "".join(kept))


def _has_digit(text: str) -> bool:
    return any(letter.isdigit() for letter in text)


def _json_list(text: str) -> list[str] | None:
    """The strings of a JSON list, or None if it is something else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, list) or not all(type(item) in (str, int) for item in value):
        return None
    # An escape such as \ud800 gets past whoever checked the text that holds it.
    return [strip_controls(str(item)) for item in value[:MOST_CHOICES]]


def _between_commas(text: str, labels: Sequence[str]) -> list[str]:
    """The parts between commas, joined again where together they are a known label."""
    known = {fold(label) for label in labels}
    longest = 1 + max((label.count(",") for label in labels), default=0)
    parts = text.split(",")[:MOST_CHOICES]
    choices: list[str] = []
    while parts:
        sizes = range(min(longest, len(parts)), 1, -1)
        size = next((n for n in sizes if fold(",".join(parts[:n])) in known), 1)
        choices.append(",".join(parts[:size]))
        del parts[:size]
    return choices


def _ascii_digit(letter: str) -> str:
    """The digit that a letter of any script stands for, else the letter."""
    return str(unicodedata.decimal(letter)) if letter.isdecimal() else letter


def _international(digits: str) -> phonenumbers.PhoneNumber | None:
    """What the library would read in these digits after a plus; None where it would look closer.

    Its own reader goes through a dozen patterns first, which takes twice as long as the rest.
    """
    size = next((n for n in (1, 2, 3) if _trunk_prefix(digits[:n]) is not None), 0)
    trunk, national = _trunk_prefix(digits[:size]), digits[size:]
    if trunk is None or len(national) < 3 or national[0] == "0" or trunk.match(national):
        return None
    return phonenumbers.PhoneNumber(country_code=int(digits[:size]), national_number=int(national))


@lru_cache(maxsize=2048)
def _trunk_prefix(code: str) -> re.Pattern[str] | None:
    """What people of a calling code dial before a number and never after a plus; None for no code.

    Where nothing is known of that, any digit may be such a prefix.
    """
    region = phonenumbers.region_code_for_country_code(int(code or "0"))
    if region == phonenumbers.UNKNOWN_REGION:
        return None
    plan = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(code), region)
    prefix = "." if plan is None else plan.national_prefix_for_parsing
    return re.compile(prefix or "(?!)")


def _e164(number: str, region: str | None) -> str | None:
    try:
        parsed = phonenumbers.parse(number, (region or "").upper() or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
