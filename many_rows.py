"""Many rows at once: written without waiting for each, looked up without reading a whole table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from io import StringIO
from secrets import token_hex
from typing import Any, TypeVarTuple

from sqlalchemy import ARRAY, JSON, Insert, Select, Table, Text, cast, func, insert, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from database import Base, UtcDateTime, dumps

Columns = TypeVarTuple("Columns")
# Nothing, in a table that PostgreSQL reads; unknown to everybody, so that no text can say it.
NULL = f"null-{token_hex(8)}"
# How much of a table the driver hands to PostgreSQL at a time.
COPIED_AT_ONCE = 1 << 18


def insert_new(
    session: Session,
    model: type[Base],
    rows: Sequence[Mapping[str, Any]],
    *returning: InstrumentedAttribute[Any],
) -> Sequence[Any]:
    """Insert rows; those that somebody inserted first stay as they are.

    These columns of the rows that are new.
    """
    if not rows:
        return []
    session.flush()
    connection = session.connection()
    names = tuple(one.key for one in returning)
    statement = _insert_new(connection.dialect.name, _table(model), names)
    result = connection.execute(statement, list(rows))
    return result.all() if returning else []


@lru_cache(maxsize=64)
def _insert_new(dialect: str, table: Table, returning: tuple[str, ...]) -> Insert:
    """Built once: what has all rows in it would be compiled anew each time."""
    made = (sqlite if dialect == "sqlite" else postgresql).insert(table).on_conflict_do_nothing()
    return made.returning(*(table.c[name] for name in returning)) if returning else made


def insert_many(
    session: Session, model: type[Base], names: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Rows of these columns, of which nobody asks for anything back; far quicker than one by one.

    PostgreSQL reads them as a table of its own (COPY): no statement is built, planned or quoted.
    """
    if session.connection().dialect.name == "postgresql":
        _copy(session, model, names, _cells(model, names, rows))
    elif values := [dict(zip(names, row, strict=True)) for row in rows]:
        session.connection().execute(insert(_table(model)), values)


def insert_alike(
    session: Session,
    model: type[Base],
    key: str,
    names: Sequence[str],
    groups: Iterable[tuple[Sequence[Any], Sequence[int]]],
) -> None:
    """Many rows of which few differ in more than their key: what they say, and all their keys."""
    if session.connection().dialect.name != "postgresql":
        rows = ((number, *row) for row, numbers in groups for number in numbers)
        insert_many(session, model, (key, *names), rows)
        return
    made = ((_cells(model, names, [row]), numbers) for row, numbers in groups)
    lines = (f"{number}\t{text}" for text, numbers in made for number in numbers)
    _copy(session, model, (key, *names), "".join(lines))


def _table(model: type[Base]) -> Table:
    assert isinstance(model.__table__, Table)
    return model.__table__


def _copy(session: Session, model: type[Base], names: Sequence[str], cells: str) -> None:
    if not cells:
        return
    copy = f"COPY {model.__tablename__} ({', '.join(names)}) FROM STDIN (NULL '{NULL}')"
    driver: Any = session.connection().connection
    with driver.cursor() as cursor:
        cursor.copy_expert(copy, StringIO(cells), COPIED_AT_ONCE)


def _cells(model: type[Base], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The rows as COPY reads them: a line each, tabs between cells, marks inside them escaped."""
    types = [type(_table(model).c[name].type) for name in names]
    ways = [_WRITTEN.get(kind, str) for kind in types]
    lines = []
    for row in rows:
        cells = [NULL if one is None else way(one) for one, way in zip(row, ways, strict=True)]
        line = "\t".join(cells)
        if "\\" in line or "\n" in line or "\r" in line or line.count("\t") >= len(cells):
            line = "\t".join(cell.translate(_ESCAPED) for cell in cells)
        lines.append(line)
    return "".join(f"{line}\n" for line in lines)


@lru_cache(maxsize=1024)
def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("a moment without a time zone cannot be stored")
    return value.isoformat()


_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_WRITTEN: Mapping[type[Any], Callable[[Any], str]] = {JSON: dumps, UtcDateTime: _moment}


def dont_wait_for_disk(session: Session) -> None:
    """This unit is committed before it is on the disk; a power cut may take back all of it.

    It never takes a later one and leaves an earlier one, nor a part of one.
    """
    if session.connection().dialect.name == "postgresql":
        session.connection().exec_driver_sql("SET LOCAL synchronous_commit = off")


def each_of(
    session: Session, column: Any, texts: Sequence[str], statement: Select[*Columns]
) -> Select[*Columns]:
    """The statement for the rows whose column is one of many texts, looked up one by one.

    Of a table that is just being filled PostgreSQL knows too little, and would read all of it
    for a few hundred texts; a lateral part that has an order is asked once for each of them.
    """
    if session.connection().dialect.name != "postgresql":
        return statement.where(column.in_(texts))
    wanted = func.unnest(cast(list(texts), ARRAY(Text))).table_valued("text", name="wanted")
    found = statement.where(column == wanted.c.text).lateral("found")
    each: Select[*Columns] = select(*found.c).select_from(wanted.join(found, true()))
    return each


def next_ids(session: Session, model: type[Base], count: int) -> list[int]:
    """The ids of rows that this unit inserts next, as the database would number them itself."""
    connection, table = session.connection(), _table(model)
    if connection.dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence(table.name, "id")
        numbers = func.generate_series(1, count).table_valued("n")
        rows = connection.execute(select(func.nextval(sequence)).select_from(numbers))
        return [number for (number,) in rows]
    # Nobody else writes before this unit has ended.
    last = connection.scalar(select(func.max(table.c.id))) or 0
    return list(range(last + 1, last + 1 + count))
