"""ExperimentPartings: leads that were parted again are two people to experiments, too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import delete, or_, select, update

from experiment_draws import Arrival, ExperimentDraws
from many_rows import insert_new
from models import Conversation, Event, Experiment, Exposure, LeadMerge, UnitAlias
from services.experiment_people import ExperimentPeople

# Where a merge keeps what was known of the browsers before it.
NOTE = "aliases"


class ExperimentPartings(ExperimentPeople):
    """Takes back what a merge said of whose browsers are one person's.

    What the browsers' own tokens had said stays; what both did while they were one stays with the
    one under which they were counted.
    """

    def before_merge(self, fact: Event) -> None:
        """Keep with the merge which of these browsers were one person's before it."""
        for merged in fact.measured["merged"]:
            row = self._merge(fact.lead_id, int(merged))
            if row is None or not row.undo or NOTE in row.undo:
                continue
            units = self._units(Conversation.lead_id.in_([fact.lead_id, int(merged)]))
            row.undo = {**row.undo, NOTE: [_plain(one) for one in self._aliases(units)]}
        self.session.flush()

    def on_part(self, fact: Event) -> None:
        """The browsers of two leads that were merged by mistake are counted each for itself."""
        parted = int(fact.measured["parted"])
        row = self._merge(fact.lead_id, parted)
        # The fact of the other lead tells the same.
        if row is None or row.parted_at is None or NOTE not in (row.undo or {}):
            return
        kept = self._units(Conversation.lead_id == fact.lead_id)
        other = [one for one in self._units(Conversation.lead_id == parted) if one not in kept]
        now = {one.unit: _plain(one) for one in self._aliases([*kept, *other])}
        was = {one["unit"]: one for one in row.undo[NOTE]}
        heads = {one["canonical"] for one in was.values()}
        # Browsers that came since, by a token, stay with whom they are counted under.
        new = set(now) - set(was) - heads - {*kept, *other}
        units = {*kept, *other, *now, *(one["canonical"] for one in now.values()), *heads}
        self._forget(units)
        self._restore([*was.values(), *(now[one] for one in sorted(new))])
        for mine in (kept, other):
            self.join(mine, self.resources.clock.now())
        self._count_anew(units)

    def _merge(self, kept_id: int | None, merged_id: int) -> LeadMerge | None:
        mine = (LeadMerge.kept_id == kept_id, LeadMerge.merged_id == merged_id)
        last = select(LeadMerge).where(*mine).order_by(LeadMerge.id.desc()).limit(1)
        return self.session.scalar(last)

    def _aliases(self, units: Collection[str]) -> list[UnitAlias]:
        """All aliases of whoever these visitor ids are counted as."""
        known = select(UnitAlias.canonical).where(UnitAlias.unit.in_(units))
        heads = [*units, *self.session.scalars(known)]
        mine = or_(UnitAlias.unit.in_(units), UnitAlias.canonical.in_(heads))
        return list(self.session.scalars(select(UnitAlias).where(mine).order_by(UnitAlias.unit)))

    def _forget(self, units: Collection[str]) -> None:
        """Nobody of them is another's, and nothing is left out for it."""
        fetched = {"synchronize_session": "fetch"}
        rows = delete(UnitAlias).where(UnitAlias.unit.in_(units))
        self.session.execute(rows, execution_options=fetched)
        counted = (
            update(Exposure)
            .where(Exposure.unit.in_(units), Exposure.excluded.in_(("alias", "multiple")))
            .where(Exposure.experiment.in_(select(Experiment.name)))
        )
        self.session.execute(counted.values(excluded=None), execution_options=fetched)

    def _restore(self, aliases: Iterable[dict[str, Any]]) -> None:
        at = self.resources.clock.now()
        insert_new(self.session, UnitAlias, [{**one, "joined_at": at} for one in aliases])

    def _count_anew(self, units: Collection[str]) -> None:
        """Each person's exposures and conversions, as if the others had never been joined."""
        draws, people = ExperimentDraws(self.session), defaultdict(list)
        for unit in sorted(units):
            people[draws.unit_of(Arrival(unit, unit))].append(unit)
        for mine in people.values():
            self._exclude_doubles(mine)


def _plain(alias: UnitAlias) -> dict[str, Any]:
    return {"unit": alias.unit, "canonical": alias.canonical}
