"""What languages are called."""

from __future__ import annotations

import pytest

from lib.languages import NAMES, language_name
from lib.text import LOCALE


@pytest.mark.parametrize(
    ("locale", "name"),
    [
        ("hi", "Hindi (hi)"),
        ("pt-BR", "Portuguese of Brazil (pt-BR)"),
        ("en_GB", "English (en_GB)"),
        ("tlh", "tlh"),
    ],
)
def test_a_language_has_the_name_that_people_know(locale: str, name: str) -> None:
    assert language_name(locale) == name


def test_every_name_is_of_one_code() -> None:
    assert len(set(NAMES.values())) == len(NAMES)
    assert all(LOCALE.fullmatch(code) for code in NAMES)
