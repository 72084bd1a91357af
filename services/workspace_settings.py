"""Parts of the configuration that people change while it runs, and rows that are there once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from models import WorkspaceSetting


def keep_setting(
    session: Session, name: str, value: Mapping[str, Any], *, by: str, now: datetime
) -> None:
    """Store a setting whole, whether it is there or not."""
    row = {"value": dict(value), "updated_by": by, "updated_at": now}
    statement = (
        _dialect(session)
        .insert(WorkspaceSetting)
        .values(name=name, **row)
        .on_conflict_do_update(index_elements=["name"], set_=row)
    )
    session.execute(statement)
    stored = session.get(WorkspaceSetting, name)
    if stored is not None:
        session.refresh(stored)


def _dialect(session: Session) -> Any:
    return postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
