"""The check of the database: quiet when all is well, and plain about each thing that is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from check_database import findings, main, report
from config import Settings
from database import head_revision, make_engine


def settings_for(url: str) -> Settings:
    return Settings(_env_file=None, DATABASE_URL=url)


def failed(url: str, *, analyze: bool = False) -> dict[str, str]:
    """What failed, by what was looked at."""
    found = findings(settings_for(url), analyze=analyze)
    return {one.what: one.said for one in found if one.is_good is False}


def spoil(url: str, *statements: str) -> None:
    engine = make_engine(url)
    with engine.connect() as connection, connection.begin():
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.mark.parametrize("analyze", [False, True], ids=["quick", "analyze"])
def test_a_migrated_database_is_well(
    database_url: str, analyze: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    status = report(settings_for(database_url), analyze=analyze)

    said = capsys.readouterr().out
    assert status == 0, said
    assert "All is well." in said
    assert "sessions 0" in said
    assert ("hot statements use an index" in said) is analyze
    assert ("MiB" in said) is analyze


def test_an_empty_database_is_to_be_migrated(empty_database_url: str, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()

    assert failed(empty_database_url) == {
        "migration": f"none, but {head_revision()} is the newest; run: alembic upgrade head"
    }


def test_a_missing_file_is_named_and_not_made(tmp_path: Path) -> None:
    file = tmp_path / "none" / "leadline.db"

    said = failed(f"sqlite:///{file}")

    assert str(file) in said["reachable"]
    assert not file.parent.exists()


def test_a_database_that_is_away_is_told_without_its_password(
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = "postgresql://leadline:canary-password@127.0.0.1:1/leadline"

    status = report(settings_for(url), analyze=False)

    said = capsys.readouterr().out
    assert status == 1
    assert "did not answer" in said
    assert "canary" not in said


def test_a_missing_guard_is_noticed(database_url: str) -> None:
    is_sqlite = database_url.startswith("sqlite")
    drop = "user_behaviors_no_update" if is_sqlite else "append_only ON user_behaviors"

    spoil(database_url, f"DROP TRIGGER {drop}")

    assert list(failed(database_url)) == ["append-only guards"]
    assert "on user_behaviors" in failed(database_url)["append-only guards"]


@pytest.mark.postgres
def test_a_disabled_guard_is_noticed(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite cannot disable a trigger.")

    spoil(database_url, "ALTER TABLE events DISABLE TRIGGER blank_only")

    assert "blank_only on events" in failed(database_url)["append-only guards"]


def test_a_missing_index_is_noticed_and_so_is_the_statement_that_needed_it(
    database_url: str,
) -> None:
    spoil(database_url, "DROP INDEX ix_leads_created_at_id")

    said = failed(database_url, analyze=True)

    assert "leads(created_at, id)" in said["indexes"]
    assert "the newest leads" in said["plans"]


def test_a_missing_column_ends_the_check(database_url: str) -> None:
    spoil(database_url, "ALTER TABLE leads DROP COLUMN campaign")

    assert list(failed(database_url, analyze=True)) == ["tables"]
    assert "leads.campaign" in failed(database_url)["tables"]


def test_looking_writes_nothing(database_engine: Engine, database_url: str) -> None:
    def tables() -> list[str]:
        with database_engine.connect() as connection:
            return sorted(connection.dialect.get_table_names(connection))

    before = tables()
    list(findings(settings_for(database_url), analyze=True))

    assert tables() == before


def test_a_bad_setting_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://somewhere/x")

    status = main([])

    assert status == 1
    assert capsys.readouterr().err.startswith("DATABASE_URL: must name SQLite or PostgreSQL")


def test_the_command_reads_the_environment(
    monkeypatch: pytest.MonkeyPatch, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)

    assert main(["--analyze"]) == 0
    assert "All is well." in capsys.readouterr().out
