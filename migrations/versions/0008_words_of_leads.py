"""Search: the words of leads and answers on PostgreSQL; a conversation's lead from its index."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_APART = "'@._-+/()', '        '"
_ENDINGS = " || ' ' || ".join(f"coalesce(right(phone_e164, {size}), '')" for size in range(4, 13))
LEAD_WORDS = (
    "to_tsvector('simple'::regconfig, translate(coalesce(name, '') || ' ' ||"
    " coalesce(email, '') || ' ' || coalesce(company, '') || ' ' || coalesce(phone, '')"
    f" || ' ' || {_ENDINGS}, {_APART}))"
)
ANSWER_WORDS = f"to_tsvector('simple'::regconfig, translate(answer_text, {_APART}))"


def upgrade() -> None:
    """Make the indexes; SQLite, where one shop's leads are few, reads them through."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(f"CREATE INDEX ix_leads_words ON leads USING gin ({LEAD_WORDS})")
    op.execute(f"CREATE INDEX ix_answers_words ON answers USING gin ({ANSWER_WORDS})")
    op.drop_index("ix_sessions_lead_id", table_name="sessions")
    op.create_index(
        "ix_sessions_lead_id", "sessions", ["lead_id"], postgresql_include=["id", "utm_campaign"]
    )


def downgrade() -> None:
    """Take them away again."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.drop_index("ix_sessions_lead_id", table_name="sessions")
    op.create_index("ix_sessions_lead_id", "sessions", ["lead_id"])
    op.execute("DROP INDEX ix_answers_words")
    op.execute("DROP INDEX ix_leads_words")
