"""Which leads there are for everybody: not deleted, and not of an import that is still at work."""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, select

from models import Import, Lead


def is_visible() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The conditions by which a statement over leads finds those that anybody may see.

    The leads of an import come into sight together: by the one row that says it is published.
    """
    at_work = select(Import.id).where(Import.published_at.is_(None))
    is_published = or_(Lead.import_id.is_(None), Lead.import_id.not_in(at_work))
    return Lead.deleted_at.is_(None), is_published
