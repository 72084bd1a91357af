"""Whose turn it is: shares are kept, nobody who is full or gone is chosen."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from engine.routing import Agent, next_turn

teams = st.lists(st.integers(1, 9), min_size=1, max_size=6).map(
    lambda weights: [Agent(number, weight) for number, weight in enumerate(weights, 1)]
)
crowds = st.lists(
    st.builds(
        Agent,
        id=st.integers(1, 50),
        weight=st.integers(0, 9),
        open_leads=st.integers(0, 5),
        capacity=st.none() | st.integers(0, 5),
        is_disabled=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda agent: agent.id,
)


def _turns(agents: list[Agent], count: int) -> list[int | None]:
    gained: dict[int, int] = {}
    chosen = []
    for _ in range(count):
        turn = next_turn(agents, gained)
        gained = dict(turn.gained)
        chosen.append(turn.agent)
    return chosen


@given(teams)
def test_a_whole_round_gives_everybody_exactly_their_share(agents: list[Agent]) -> None:
    turns = _turns(agents, 2 * sum(agent.weight for agent in agents))

    assert Counter(turns) == {agent.id: 2 * agent.weight for agent in agents}


@given(crowds, st.dictionaries(st.integers(1, 50), st.integers(-10_000, 10_000)))
def test_only_who_has_room_is_chosen_and_somebody_is(
    agents: list[Agent], gained: dict[int, int]
) -> None:
    turn = next_turn(agents, gained)

    ready = {agent.id for agent in agents if agent.has_room}
    assert turn.agent in ready or (turn.agent is None and not ready)
    limit = 2 * sum(agent.weight for agent in agents)
    assert all(abs(amount) <= limit for amount in turn.gained.values())
    assert not {agent.id for agent in agents if agent.is_disabled} & set(turn.gained)


@given(teams, st.lists(crowds, max_size=20))
def test_no_change_of_the_team_makes_anybody_get_everything_for_long(
    agents: list[Agent], changes: list[list[Agent]]
) -> None:
    gained: dict[int, int] = {}
    for crowd in changes:
        gained = dict(next_turn(crowd, gained).gained)
    total = sum(agent.weight for agent in agents)

    chosen = Counter[int | None]()
    for _ in range(6 * total):
        turn = next_turn(agents, gained)
        gained, chosen = dict(turn.gained), chosen + Counter([turn.agent])

    assert all(abs(chosen[one.id] - 6 * one.weight) <= 2 * total for one in agents)


def test_turns_are_spread_and_not_in_a_row() -> None:
    assert _turns([Agent(1, 3), Agent(2, 1)], 4) == [1, 1, 2, 1]


def test_who_is_full_is_passed_over_and_gets_their_turn_later() -> None:
    full = [Agent(1, 1, open_leads=2, capacity=2), Agent(2, 1)]

    assert next_turn(full, {1: 1, 2: -1}).agent == 2
    assert next_turn(full, {1: 1, 2: -1}).gained[1] == 1
    assert next_turn([Agent(1, 1, open_leads=1, capacity=2), Agent(2, 1)], {1: 1}).agent == 1
    assert next_turn([Agent(1, 0), Agent(2, 1, is_disabled=True)], {}).agent is None
    assert next_turn([], {}).agent is None
