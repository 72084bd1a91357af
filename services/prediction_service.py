"""PredictionService: outcomes to ml, probabilities and reasons back; promotion, drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

import outbox
from errors import Invalid, invalid_field, unknown_lead
from models import Lead, LeadPrediction
from services.lead_past import contact_columns
from services.lead_visibility import is_visible
from services.model_store import (
    AFTER,
    BEFORE,
    PREDICT_JOB,
    InService,
    ModelStore,
    NewVersion,
    Returned,
    in_service_or_prior,
)
from services.probability_scores import ProbabilityScores
from services.resources import Resources
from services.training_rows import TrainingRows

MOST_ROWS = 10_000
MOST_CELLS = 500
LONGEST_CELL = 2_000
RELAY = "relay"


class PredictionService:
    """The probability of every lead, the one writer of it, and what it is made of."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources
        self.store = ModelStore(session, resources)
        self.rows = TrainingRows(session, resources)

    # Reading

    def find(self, lead_id: int) -> dict[str, Any] | None:
        """The stored explanation of a lead, None while there is none; NotFound for no such lead."""
        if self.session.scalar(select(Lead.id).where(Lead.id == lead_id, *is_visible())) is None:
            raise unknown_lead()
        return self.explanation(lead_id)

    def explanation(self, lead_id: int) -> dict[str, Any] | None:
        """The stored explanation of a lead that is there, None while there is none."""
        found: dict[str, Any] | None = self.session.scalar(
            select(LeadPrediction.explanation).where(LeadPrediction.lead_id == lead_id)
        )
        return found

    def shown(self, lead_id: int, *, full: bool) -> dict[str, Any]:
        """What a reply about a lead says of it; its reasons name what the person said."""
        row = self.session.get(LeadPrediction, lead_id) if full else None
        return {
            "probability": row.probability if row else None,
            "explanation": dict(row.explanation) if row else None,
        }

    def explain_now(self, lead_id: int) -> dict[str, Any]:
        """The explanation of a lead by the models this process has read, or by the prior."""
        found = self.find(lead_id)
        return found or self._explained([lead_id], in_service_or_prior(self.store))[lead_id]

    # Predicting

    def on_facts(self, lead_id: int) -> None:
        """A lead of which something new is known; left to a job where no model is read yet.

        So the relay, which holds a transaction, never waits for scikit-learn.
        """
        models = self.store.in_service()
        if models is not None:
            self.predict([lead_id], models, news=True)
        elif self.store.promoted():
            self.request([lead_id], by=RELAY)

    def request(self, lead_ids: Sequence[int] | None = None, *, by: str) -> str:
        """Have these leads, or all of them, predicted in the background; the job's id."""
        payload = {} if lead_ids is None else {"lead_ids": list(lead_ids)}
        now = self.resources.clock.now()
        return outbox.enqueue_job(
            self.session, PREDICT_JOB, requested_by=by, now=now, payload=payload
        )

    def predict(self, lead_ids: Sequence[int], models: InService, *, news: bool) -> int:
        """Write the probability of leads and its reasons; how many leads there were.

        `news`: the leads have changed, so who becomes hot by it is worth an alert.
        """
        leads = dict(
            self.session.execute(
                select(Lead.id, Lead.probability).where(Lead.id.in_(lead_ids), *is_visible())
            ).all()
        )
        explained = self._explained(sorted(leads), models)
        if explained:
            self._write(explained, leads, news=news)
        return len(explained)

    def _explained(self, lead_ids: Sequence[int], models: InService) -> dict[int, dict[str, Any]]:
        from ml.features import known

        found = {}
        for lead in self.rows.known(lead_ids, lambda name: known(name) is not None):
            model = models.for_lead(contacted=lead.contacted)
            found[lead.lead_id] = model.explain(lead.row)
        return found

    def _write(
        self,
        explained: Mapping[int, Mapping[str, Any]],
        before: Mapping[int, float | None],
        *,
        news: bool,
    ) -> None:
        now = self.resources.clock.now()
        found = {lead_id: one["probability"] for lead_id, one in explained.items()}
        # Before the leads: scores are locked first by whoever renews them, too.
        ProbabilityScores(self.session, self.resources).keep(found, before, news=news)
        rows = [
            {
                "lead_id": lead_id,
                "model_id": one["model"],
                "probability": one["probability"],
                "explanation": dict(one),
                "computed_at": now,
            }
            for lead_id, one in explained.items()
        ]
        dialect = postgresql if self.session.get_bind().dialect.name == "postgresql" else sqlite
        statement = dialect.insert(LeadPrediction)
        renewed = {name: statement.excluded[name] for name in rows[0] if name != "lead_id"}
        self.session.execute(
            statement.on_conflict_do_update(index_elements=["lead_id"], set_=renewed), rows
        )
        for lead_id, probability in found.items():
            if probability != before[lead_id]:
                self.session.execute(
                    update(Lead)
                    .where(Lead.id == lead_id)
                    .values(probability=probability)
                    .execution_options(synchronize_session="evaluate")
                )

    # Models

    def keep(
        self,
        versions: Sequence[NewVersion],
        drift: Mapping[str, Mapping[str, Any]],
        returned: Sequence[Returned] = (),
        *,
        by: str,
    ) -> dict[str, Any]:
        """Write down what a training gave; the result that its job shows."""
        for identifier, seen in drift.items():
            self.store.note_drift(identifier, seen)
        kept = []
        for one in versions:
            identifier = self.store.keep(one, by=by)
            kept.append(
                {
                    "model_id": identifier,
                    "stage": one.stage,
                    "label": one.label,
                    "promoted": one.promote,
                    "reasons": list(one.reasons),
                }
            )
        kept += [self._take_back(one, by=by) for one in returned]
        if any(one["promoted"] for one in kept):
            self.request(by=by)
        first = [one for one in kept if one["stage"] == BEFORE] or kept
        # What answers from now on says most; else the candidate that was refused.
        chief = next((one for one in first if one["promoted"]), first[0] if first else None)
        if chief is None:
            return {"model_id": None, "promoted": False, "reasons": ["There was nothing to do."]}
        return {**chief, "models": kept}

    def _take_back(self, one: Returned, *, by: str) -> dict[str, Any]:
        """An earlier version answers again."""
        self.store.promote(one.id, by=by, reasons=one.reasons)
        return {
            "model_id": one.id,
            "stage": one.stage,
            "label": one.label,
            "promoted": True,
            "returned": True,
            "reasons": list(one.reasons),
        }

    def promote(self, identifier: str, *, by: str) -> dict[str, Any]:
        """Let a version answer, by a person's word; every lead is predicted anew."""
        if identifier not in self.store.promoted().values():
            self.store.promote(identifier, by=by)
            self.request(by=by)
        return self.store.card(identifier)

    def thresholds(
        self,
        *,
        call_cost: float | None = None,
        deal_value: float | None = None,
        capacity: int | None = None,
    ) -> dict[str, Any]:
        """From which probability on the open leads are worth a call, or fit into a day."""
        if (call_cost is None) != (deal_value is None):
            name = "deal_value" if deal_value is None else "call_cost"
            raise invalid_field(name, "A threshold needs both what a call costs and a deal brings.")
        import numpy as np

        from ml import value

        found = self.session.scalars(
            select(Lead.probability).where(
                Lead.probability.is_not(None), Lead.outcome.is_(None), *is_visible()
            )
        ).all()
        open_leads = np.array(found, dtype=np.float64)
        said: dict[str, Any] = {"leads": len(open_leads)}
        if call_cost is not None and deal_value is not None:
            said["by_value"] = vars(value.by_value(open_leads, cost=call_cost, value=deal_value))
        if capacity is not None:
            chosen = value.by_capacity(open_leads, contacts=capacity)
            share = f"{chosen.share_of_wins:.0%}"
            sentence = f"{chosen.contacted:,} calls reach {share} of the customers to be expected."
            said["by_capacity"] = {**vars(chosen), "sentence": sentence}
        return said


def predict_rows(rows: Sequence[Mapping[str, Any]], models: InService) -> dict[str, Any]:
    """The explanations of rows that somebody sends, in order; nothing is stored."""
    from ml.features import known

    _check_rows(rows)
    late = {name for row in rows for name in row if (it := known(name)) and it.after_contact}
    by_model: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        contacted = any(row.get(name) is not None for name in late)
        by_model.setdefault(AFTER if contacted and AFTER in models.models else BEFORE, []).append(
            place
        )
    explained: list[dict[str, Any]] = [{} for _ in rows]
    for stage, places in by_model.items():
        model = models.models[stage]
        names = {feature.name for feature in model.encoding.features}
        records = [_as_columns(rows[place], names) for place in places]
        for place, one in zip(places, model.explain_many(records), strict=True):
            explained[place] = one
    return {"model": models.models[BEFORE].id, "predictions": explained}


def _as_columns(row: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    """A caller's row under the names that the model knows."""
    columns = {
        name if name in names or f"attribute.{name}" not in names else f"attribute.{name}": value
        for name, value in row.items()
    }
    if "source" in names and "source" not in row and "utm_source" in row:
        columns["source"] = row["utm_source"]
    return {**contact_columns(row), **columns}


def _check_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what is no row of values, with the place of the first such cell of each row."""
    problems: dict[str, list[str]] = {}
    for place, row in enumerate(rows):
        if len(row) > MOST_CELLS:
            problems[f"rows.{place}"] = [f"A row has at most {MOST_CELLS} attributes."]
        for name, value in row.items():
            if sentence := _problem(value):
                problems[f"rows.{place}.{name}"[:200]] = [sentence]
                break
        if len(problems) >= 20:
            break
    if problems:
        raise Invalid("Some of the rows cannot be read; nothing was predicted.", fields=problems)


def _problem(value: Any) -> str | None:
    if isinstance(value, str):
        return None if len(value) <= LONGEST_CELL else f"At most {LONGEST_CELL} characters."
    if isinstance(value, list):
        if len(value) <= 100 and all(isinstance(one, str) for one in value):
            return None
        return "A list holds at most 100 texts."
    if value is None or isinstance(value, (bool, int, float)):
        return None
    return "A value is a text, a number, true, false, null or a list of texts."
