"""Passwords that everybody tries first, and how one is known again behind a few changed letters."""

from __future__ import annotations

# What leaked lists of passwords hold most often once twelve letters are asked for, and the words
# that people make twelve letters of. Compared without case, signs, and the digits at the end.
COMMON = frozenset("""
    password passwords passwort passwordpassword mypassword yourpassword newpassword changeme
    changemenow changeit letmein letmeinnow letmeinplease welcome welcomehome welcomeback admin
    administrator adminadmin rootroot superuser superadmin qwerty qwertyuiop qwertyqwerty
    qwertyuiopasdfghjkl asdfghjkl asdfghjklzxcvbnm asdfasdfasdf zxcvbnm qazwsxedc qazwsxedcrfv
    qwerasdfzxcv iloveyou iloveyousomuch iloveyouforever loveyouforever sunshine princess
    football baseball basketball superman batman spiderman starwars dragon monkey master shadow
    trustno michael jennifer jessica charlie liverpool manchesterunited chelsea arsenal barcelona
    realmadrid pokemon naruto minecraft computer internet samsung google facebook instagram
    whatsapp linkedin microsoft windows secret topsecret mysecret secretsecret opensesame abcdef
    abcdefgh abcdefghijkl abcdefghijklmnop abcabcabcabc testtest testtesttest testing
    testingtesting temporary temppassword defaultpassword default guest guestguest hello
    helloworld hellohello helloworldhello whatever nothing freedom blessed jesuschrist
    correcthorsebatterystaple thisismypassword thisisapassword donotenter nopassword passphrase
    leadline leadlineleadline salesforce hubspot marketing company companyname business summer
    winter spring autumn january february september october november december monday friday
    """.split())
_LOOKALIKES = str.maketrans("@4031!$57", "aaoeiisst")
SHORTEST_PIECE = 5


def is_common(password: str) -> bool:
    """Whether somebody who guesses would try this early: a known word, a row of keys, a repeat."""
    text = password.casefold()
    bare = "".join(letter for letter in text if letter.isalnum())
    # The year or the counter at the end adds little, and so do 0 for o and @ for a.
    word = text.rstrip("0123456789!?.,*#$_- ").translate(_LOOKALIKES)
    words = {bare, bare.rstrip("0123456789"), "".join(one for one in word if one.isalnum())}
    return bool(words & COMMON) or _repeats(text) or _counts(bare)


def _repeats(text: str) -> bool:
    """Whether a text is a piece of up to a few letters, again and again."""
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, SHORTEST_PIECE))


def _counts(text: str) -> bool:
    """Whether a text only counts on, up or down: 123456789012, abcdefghijkl."""
    steps = {(ord(after) - ord(before)) % 10 for before, after in zip(text, text[1:], strict=False)}
    return not text or (len(steps) == 1 and steps <= {1, 9})
