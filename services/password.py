"""Passwords: which ones are taken, how they are kept, and whether one is right."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

import errors
from lib.common_passwords import is_common

SHORTEST, LONGEST = 12, 200
# Each takes 64 MiB and a tenth of a second; who floods the door must not take all of either.
AT_ONCE = 4
# Of a text that nobody knows, made with the parameters of today (a test looks): who is unknown
# costs as much as a wrong password does.
DUMMY = (
    "$argon2id$v=19$m=65536,t=3,p=4$paTdLZadiGKyIfE4Xtb"
    "8Dg$xgStYDt2IYjiN/+NN9QfVdJ0915IT/d7E1gVZyKVEDU"
)

_HASHER = PasswordHasher()
_PLACES = threading.BoundedSemaphore(AT_ONCE)


def hashed(password: str) -> str:
    """What is kept of a password."""
    with _PLACES:
        return _HASHER.hash(password)


def is_right(kept: str | None, password: str) -> bool:
    """Whether this is the password of which `kept` is the hash; never for none, as slowly."""
    with _PLACES:
        try:
            found = _HASHER.verify(kept or DUMMY, password[: LONGEST + 1])
        except (VerificationError, InvalidHashError):
            return False
    return found and kept is not None


def check_choice(password: str, *, email: str, name: str) -> None:
    """Raises Invalid unless a person may choose this password; the sentence says what to do."""
    problem = _problem(password, (email, email.partition("@")[0], name))
    if problem:
        raise errors.invalid_field("password", problem, code="weak_password")


def _problem(password: str, own: tuple[str, ...]) -> str | None:
    if len(password) < SHORTEST:
        return f"Use at least {SHORTEST} characters; a few words in a row are good and easy."
    if len(password) > LONGEST:
        return f"Use at most {LONGEST} characters."
    bare = _letters(password)
    # Two letters of somebody's name stand in many good passwords.
    words = {_letters(one) for one in own if len(_letters(one)) > 3}
    if any(word in bare and len(bare) - len(word) < SHORTEST // 2 for word in words):
        return "Your name or e-mail is not enough of a secret; choose other words."
    if is_common(password):
        return "Many people use this one, so it is tried first; choose other words."
    return None


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())
