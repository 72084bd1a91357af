"""Tests of lib.csv_table: in which encoding a table is read, and which is none."""

from __future__ import annotations

import random

import pytest

from lib.csv_table import encoding_of

NAMES = {
    "cp1251": "Имя;Город;Заметка\nАнна Петрова;Москва;перезвонить\nИван;Казань;нужна скидка\n",
    "shift_jis": "名前,都市\n山田太郎,東京\n鈴木花子,大阪\n",
    "gb18030": "姓名,城市\n王小明,北京\n李红,上海\n",
    "cp1252": "Name;Ort;Notiz\nJörg Müller;München;für März – 5 €\nFrançois;Orléans;créée\n",
}


@pytest.mark.parametrize(("encoding", "text"), NAMES.items())
@pytest.mark.parametrize("times", [1, 3000])
def test_another_script_is_told_from_western_letters(encoding: str, text: str, times: int) -> None:
    # The head of a file ends anywhere, in the middle of a letter too.
    head = (text * times).encode(encoding)[:60_001]

    assert encoding_of(head, is_utf8=False) == encoding


@pytest.mark.parametrize(("encoding", "text"), NAMES.items())
def test_a_few_foreign_rows_among_many_plain_ones_are_seen(encoding: str, text: str) -> None:
    head = b"Ann,London\n" * 200 + text.encode(encoding)

    assert encoding_of(head, is_utf8=False) == encoding


def test_western_capitals_in_a_row_are_still_western() -> None:
    head = "name;ort\nJÖRG;ÄÖÜ\nMÜLLER;KÖLN\nMÜNCH;BÜHL\n".encode("cp1252")

    assert encoding_of(head, is_utf8=False) == "cp1252"


@pytest.mark.parametrize("head", [b"name\x81\nAnn\n", random.Random(1).randbytes(5000)])
def test_what_is_no_text_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError, match="neither UTF-8 nor Windows-1252"):
        encoding_of(head, is_utf8=False)


def test_utf_16_is_named() -> None:
    for encoding in ("utf-16", "utf-16-le"):
        with pytest.raises(ValueError, match="UTF-16"):
            encoding_of("name\nAnn\n".encode(encoding), is_utf8=False)
