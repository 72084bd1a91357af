"""CatalogService: the product menu and the calls to action, in a session's language."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from engine.workflow import Workflow, fill_in, has_variables
from models import Lead
from services.profile import profile_values
from services.resources import Resources
from services.session_store import Held, SessionStore
from services.workflow_service import WorkflowService


class CatalogService:
    """What a visitor may look at and do."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def product_menu(self, session_id: str | None = None, *, named: bool = True) -> dict[str, Any]:
        """The products, as the session's version and language have them.

        Unless `named`, the text does not say who the visitor is.
        """
        workflow, locale, held = self._of(session_id)
        products = [
            {
                "id": product.id,
                "name": workflow.label("product_names", product.id, product.name, locale),
                "description": workflow.label(
                    "product_descriptions", product.id, product.description, locale
                ),
            }
            for product in workflow.products
        ]
        text = self._text(workflow, "products", locale, held if named else None)
        return {"text": text, "products": products}

    def cta_options(self, session_id: str | None = None, *, named: bool = True) -> dict[str, Any]:
        """The calls to action, as the session's version and language have them.

        Unless `named`, the text does not say who the visitor is.
        """
        workflow, locale, held = self._of(session_id)
        options = [
            {
                "id": call.id,
                "label": workflow.label("call_labels", call.id, call.label, locale),
                "action": str(call.action),
            }
            for call in workflow.calls_to_action
        ]
        text = self._text(workflow, "calls_to_action", locale, held if named else None)
        return {"text": text, "options": options}

    def closing(self, held: Held, *, named: bool = True) -> str:
        """The last words to a visitor; unless `named`, without who it is."""
        return self._text(held.workflow, "closing", held.locale, held if named else None)

    def _of(self, session_id: str | None) -> tuple[Workflow, str | None, Held | None]:
        if session_id is None:
            pinned = WorkflowService(self.session, self.resources).in_force()
            return pinned.workflow, None, None
        held = SessionStore(self.session, self.resources).read(session_id)
        return held.workflow, held.locale, held

    def _text(self, workflow: Workflow, name: str, locale: str | None, held: Held | None) -> str:
        text = workflow.text(name, locale)
        if not has_variables(text):
            return text
        lead = self.session.get(Lead, held.lead_id) if held else None
        return fill_in(text, profile_values(lead) if lead else {})
