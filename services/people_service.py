"""PeopleService: who works here: invitations, roles, passwords, and who may no longer come in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

import errors
from engine.matching import parse_email
from engine.policy import Role
from lib.clock import zone
from lib.text import strip_controls
from models import Lead, Person
from services.account_service import AccountService
from services.lead_visibility import is_visible
from services.one_time_links import Door, OneTimeLinks, Purpose
from services.resources import Resources
from services.sign_in_service import SignInService

LONGEST_NAME, LONGEST_EMAIL = 120, 255
MOST_WEIGHT, MOST_CAPACITY = 100, 100_000
ACTIVE, INVITED, DISABLED = "active", "invited", "disabled"


@dataclass(frozen=True)
class Colleague:
    """Somebody who works here, as others see them."""

    id: int
    email: str
    name: str
    role: Role
    # active, invited (no password yet) or disabled.
    state: str
    time_zone: str | None
    weight: int
    capacity: int | None
    last_seen_at: datetime | None
    # Leads in their hands that have no outcome yet.
    open_leads: int = 0


@dataclass(frozen=True)
class Login:
    """What a sign-in is checked with; looked up before anybody's password is."""

    person_id: int
    email: str
    name: str
    password_hash: str | None


class PeopleService:
    """People and what they may do; each change is audited, and stands when its unit ends."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self._session = session
        self._resources = resources
        self._clock = resources.clock
        self._accounts = AccountService(session, resources)
        self._links = OneTimeLinks(session, resources)
        self._sign_ins = SignInService(session, resources)

    # Who there is

    def list_all(self) -> list[Colleague]:
        """Everybody who ever worked here, by name, who may not come in any more last."""
        people = self._session.scalars(select(Person).order_by(Person.name, Person.id)).all()
        leads = self._open_leads()
        found = [_colleague(one, leads.get(one.email, 0)) for one in people]
        return sorted(found, key=lambda one: one.state == DISABLED)

    def get(self, person_id: int) -> Colleague:
        """One of them; NotFound if there is nobody of this id."""
        person = self._person(person_id)
        return _colleague(person, self._open_leads().get(person.email, 0))

    def find_login(self, email: str) -> Login | None:
        """What a sign-in at this address is checked with; None where nobody may come in."""
        if len(email) > LONGEST_EMAIL or "\x00" in email:
            return None
        known = (Person.email == email.strip().lower(), Person.disabled_at.is_(None))
        person = self._session.scalar(select(Person).where(*known))
        return _login(person) if person is not None else None

    def login_of(self, person_id: int) -> Login:
        """What somebody who is signed in confirms a change with."""
        return _login(self._person(person_id))

    def get_id(self, email: str) -> int:
        """The id of who has this address; NotFound if nobody has."""
        known = Person.email == email.strip().lower()
        person_id = self._session.scalar(select(Person.id).where(known))
        if person_id is None:
            raise errors.NotFound("Nobody of this address works here.", code="unknown_person")
        return person_id

    # Who comes

    def invite(self, email: str, *, name: str, role: str, by: str) -> tuple[int, str]:
        """Somebody new, and the token of the link by which they choose a password."""
        person = self._new(email, name=name, role=role)
        token = self._links.make(Purpose.INVITATION, by=by, person_id=person.id)
        self._audit(by, "person.invited", person, {"role": person.role})
        return person.id, token

    def make_link(self, person_id: int, *, by: str) -> str:
        """The token of a fresh link for somebody who lost theirs, or forgot the password."""
        person = self._person(person_id)
        if person.disabled_at is not None:
            raise errors.Conflict("This person is disabled; enable them first.")
        purpose = Purpose.RESET if person.password_hash else Purpose.INVITATION
        self._links.close(Purpose.RESET, Purpose.INVITATION, person_id=person.id)
        token = self._links.make(purpose, by=by, person_id=person.id)
        self._audit(by, "person.link_made", person, {"purpose": str(purpose)})
        return token

    def come_in(
        self, token: str, *, password_hash: str, email: str = "", name: str = ""
    ) -> tuple[Door, int]:
        """Opens a link: its person has this password from now on, and is signed in nowhere else."""
        door = self._links.open(token)
        if door.purpose is Purpose.SET_UP:
            person = self._new(email, name=name, role=Role.ADMIN)
        else:
            person = self._person(door.person_id or 0)
            if door.purpose is Purpose.INVITATION and name.strip():
                person.name = _named(name)
        self._set_password(person, password_hash)
        self._audit(person.email, f"person.{_OPENED[door.purpose]}", person)
        return door, person.id

    def change_password(self, person_id: int, password_hash: str, *, here: int) -> None:
        """Another password; this person stays signed in in the browser `here` alone."""
        person = self._person(person_id)
        self._set_password(person, password_hash, here=here)
        self._audit(person.email, "person.password_changed", person)

    # What changes

    def change(self, person_id: int, data: Mapping[str, Any], *, by: str) -> Colleague:
        """Role, weight and capacity; who gets another role has to sign in again."""
        person = self._person(person_id)
        changed: dict[str, Any] = {}
        if "role" in data and data["role"] != person.role:
            self._keep_an_admin(person)
            person.role = changed["role"] = str(_role(data["role"]))
            self._sign_ins.end_all(person.id)
        limits = {"weight": MOST_WEIGHT, "capacity": MOST_CAPACITY}
        for name in limits.keys() & data.keys():
            value = _amount(name, data[name], limits[name])
            if value != getattr(person, name):
                setattr(person, name, value)
                changed[name] = value
        self._audit(by, "person.changed", person, changed)
        self._session.flush()
        return self.get(person_id)

    def change_profile(self, person_id: int, *, name: str, time_zone: str | None) -> None:
        """How somebody is called, and by which clock they read."""
        person = self._person(person_id)
        try:
            zone(time_zone)
        except ValueError as error:
            raise errors.invalid_field("time_zone", str(error)) from None
        person.name, person.time_zone = _named(name), time_zone or None
        self._audit(person.email, "person.profile_changed", person)
        self._session.flush()

    def disable(self, person_id: int, *, by: str) -> None:
        """Nobody comes in by this account any more, from the next request on."""
        person = self._person(person_id)
        if person.disabled_at is not None:
            raise errors.Conflict("This person is disabled already.")
        self._keep_an_admin(person)
        person.disabled_at = self._clock.now()
        self._sign_ins.end_all(person.id)
        self._links.close(Purpose.RESET, Purpose.INVITATION, person_id=person.id)
        self._audit(by, "person.disabled", person)
        self._session.flush()

    def enable(self, person_id: int, *, by: str) -> None:
        """The account is good again, with the password it had."""
        person = self._person(person_id)
        if person.disabled_at is None:
            raise errors.Conflict("This person is not disabled.")
        person.disabled_at = None
        self._audit(by, "person.enabled", person)
        self._session.flush()

    # Inside

    def _new(self, email: str, *, name: str, role: str) -> Person:
        address = _address(email, is_test=self._resources.settings.is_development)
        if self._session.scalar(select(Person.id).where(Person.email == address)) is not None:
            raise errors.invalid_field("email", "Somebody with this address works here already.")
        person = Person(
            email=address,
            name=_named(name),
            role=str(_role(role)),
            weight=1,
            created_at=self._clock.now(),
        )
        self._session.add(person)
        self._session.flush()
        return person

    def _person(self, person_id: int) -> Person:
        person = self._session.get(Person, person_id) if 0 < person_id < 2**63 else None
        if person is None:
            raise errors.NotFound("There is nobody of this id.", code="unknown_person")
        return person

    def _set_password(self, person: Person, password_hash: str, *, here: int | None = None) -> None:
        person.password_hash = password_hash
        self._sign_ins.end_all(person.id, but=here)
        self._links.close(Purpose.RESET, Purpose.INVITATION, person_id=person.id)
        self._session.flush()

    def _keep_an_admin(self, person: Person) -> None:
        """Raises Conflict if nobody else could run the place; two admins cannot pass at once."""
        if person.role != Role.ADMIN or _state(person) != ACTIVE:
            return
        admins = self._session.scalars(
            select(Person)
            .where(Person.role == str(Role.ADMIN))
            .order_by(Person.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).all()
        if not any(one.id != person.id and _state(one) == ACTIVE for one in admins):
            raise errors.Conflict(
                "This is the last admin; make somebody else an admin first.", code="last_admin"
            )

    def _open_leads(self) -> dict[str, int]:
        rows = self._session.execute(
            select(Lead.assigned_to, func.count())
            .where(Lead.assigned_to.is_not(None), Lead.outcome.is_(None), *is_visible())
            .group_by(Lead.assigned_to)
        )
        return {str(owner): int(count) for owner, count in rows}

    def _audit(
        self, by: str, action: str, person: Person, detail: dict[str, Any] | None = None
    ) -> None:
        self._accounts.audit(by, action, f"person {person.id}", detail or {})


_OPENED = {
    Purpose.SET_UP: "set_up",
    Purpose.INVITATION: "joined",
    Purpose.RESET: "password_reset",
}


def _login(person: Person) -> Login:
    return Login(person.id, person.email, person.name, person.password_hash)


def _state(person: Person) -> str:
    if person.disabled_at is not None:
        return DISABLED
    return ACTIVE if person.password_hash else INVITED


def _colleague(person: Person, open_leads: int) -> Colleague:
    return Colleague(
        id=person.id,
        email=person.email,
        name=person.name,
        role=Role(person.role),
        state=_state(person),
        time_zone=person.time_zone,
        weight=person.weight,
        capacity=person.capacity,
        last_seen_at=person.last_seen_at,
        open_leads=open_leads,
    )


def _address(email: str, *, is_test: bool) -> str:
    found = parse_email(email, allow_test=is_test)
    if found is None or len(found) > LONGEST_EMAIL:
        raise errors.invalid_field("email", "Write an e-mail address such as ann@example.com.")
    return found.lower()


def _named(name: str) -> str:
    bare = " ".join(strip_controls(name).split())
    if not bare or len(bare) > LONGEST_NAME:
        raise errors.invalid_field("name", f"A name has 1 to {LONGEST_NAME} characters.")
    return bare


def _role(role: str) -> Role:
    try:
        return Role(role)
    except ValueError:
        raise errors.invalid_field("role", f"Roles are {', '.join(Role)}.") from None


def _amount(name: str, value: int | None, most: int) -> int | None:
    if value is None and name == "capacity":
        return None
    if value is None or not 0 <= value <= most:
        raise errors.invalid_field(name, f"This is a whole number from 0 to {most}.")
    return value
