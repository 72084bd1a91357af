"""Whose turn it is to get a new lead: smooth weighted round robin among those who have room.

Of weights 3 and 1 the turns are A A B A, not A A A B: everybody gains their weight each turn, the
one who has most is chosen and pays what all gained together (as nginx shares requests).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HEAVIEST = 100


@dataclass(frozen=True)
class Agent:
    """Somebody who may get leads: their share, what they have in hand, how much is enough."""

    id: int
    weight: int
    open_leads: int = 0
    capacity: int | None = None
    is_disabled: bool = False

    @property
    def has_room(self) -> bool:
        """Whether one lead more may go to them."""
        is_full = self.capacity is not None and self.open_leads >= self.capacity
        return not (self.is_disabled or is_full or self.weight <= 0)


@dataclass(frozen=True)
class Turn:
    """Who gets the lead (None: nobody has room), and what each has gained by now."""

    agent: int | None
    gained: Mapping[int, int]


def next_turn(agents: Sequence[Agent], gained: Mapping[int, int]) -> Turn:
    """The next turn among these agents, after what each had gained before.

    Who has no room keeps what they have gained. A changed team may leave somebody with more than
    a whole round: then that much counts and no more, else they would get all leads for a while.
    """
    ready = [agent for agent in agents if agent.has_room]
    limit = sum(agent.weight for agent in agents if agent.weight > 0)
    held = {
        agent.id: max(-limit, min(limit, gained.get(agent.id, 0)))
        for agent in agents
        if not agent.is_disabled
    }
    if not ready:
        return Turn(None, held)
    for agent in ready:
        held[agent.id] += agent.weight
    chosen = max(ready, key=lambda agent: (held[agent.id], agent.weight, -agent.id))
    held[chosen.id] -= sum(agent.weight for agent in ready)
    return Turn(chosen.id, held)
