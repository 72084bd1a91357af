"""An office: the application, people of every role, and a browser of theirs without a screen."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import insert, select
from werkzeug.test import TestResponse

from lib.clock import Clock
from models import Person
from services import Services
from tests.shop import START, Shop, shop

TOKEN = re.compile(r'<meta name="csrf-token" content="([^"]+)"')


class Visit:
    """Somebody's browser: signed in, with the token of the page it was on."""

    def __init__(self, client: FlaskClient, person: str) -> None:
        self.client = client
        self.person = person
        self._token: str | None = None

    def get(self, path: str, *, part: bool = False, **query: Any) -> TestResponse:
        """A page; as a part of one, as htmx asks for it, if `part`."""
        headers = {"HX-Request": "true"} if part else {}
        return self.client.get(path, query_string=query or None, headers=headers)

    def post(
        self,
        path: str,
        form: Mapping[str, Any] | None = None,
        *,
        part: bool = False,
        follow: bool = False,
        **headers: str,
    ) -> TestResponse:
        """The reply to a form of ours; `follow` goes on to the page it leads to."""
        sent = {"csrf_token": self.token, **(form or {})}
        head = {"HX-Request": "true"} if part else {}
        return self.client.post(
            path, data=sent, headers={**head, **headers}, follow_redirects=follow
        )

    def text(self, path: str, **query: Any) -> str:
        """A page's text without its markup; fails unless it is served."""
        reply = self.get(path, **query)
        assert reply.status_code == 200, (path, reply.status_code, reply.text[:2000])
        return plain(reply.text)

    @property
    def token(self) -> str:
        """The token that forms of this browser carry."""
        if self._token is None:
            found = TOKEN.search(self.client.get("/console/profile").text)
            assert found, "somebody who is signed in has a profile page"
            self._token = found[1]
        return self._token


class Office(Shop):
    """Alice runs it, Mark tunes the bot, Sam and Sue sell, Vera looks on."""

    def hire(self, name: str, role: str) -> int:
        """A new person `<name>@example.com`, or the one there is; their id."""
        email = f"{name.lower()}@example.com"
        with self.unit() as services:
            known = services.session.scalar(select(Person.id).where(Person.email == email))
            if known is not None:
                return int(known)
            row = {"email": email, "name": name, "role": role, "created_at": self.clock.now()}
            statement = insert(Person).values(weight=1, **row).returning(Person.id)
            return int(services.session.execute(statement).scalar_one())

    def visit(self, name: str, role: str) -> Visit:
        """A browser in which this person is signed in."""
        person_id = self.hire(name, role)
        with self.unit() as services:
            token = services.sign_ins.begin(person_id, browser="Test", address="127.0.0.1")
        client = self.app.test_client()
        client.set_cookie("leadline", token)
        return Visit(client, f"{name.lower()}@example.com")

    @property
    def alice(self) -> Visit:
        """An admin's browser."""
        return self.visit("Alice", "admin")

    @property
    def mark(self) -> Visit:
        """A marketer's browser."""
        return self.visit("Mark", "marketer")

    @property
    def sam(self) -> Visit:
        """A sales rep's browser."""
        return self.visit("Sam", "sales")

    @property
    def sue(self) -> Visit:
        """Another sales rep's browser."""
        return self.visit("Sue", "sales")

    @property
    def vera(self) -> Visit:
        """The browser of somebody who only looks on."""
        return self.visit("Vera", "viewer")

    def enter_lead(self, **data: Any) -> int:
        """A lead that was entered by hand; its id."""
        with self.unit() as services:
            said = services.book.enter({"name": "Lena Lead", **data}, actor="alice@example.com")
        return int(said["id"])

    def ask(self, work: Any) -> Any:
        """What `work` finds by the use cases of a transaction of its own."""
        with self.unit() as services:
            assert isinstance(services, Services)
            return work(services)


@contextmanager
def office(
    url: str, data_dir: Path, *, clock: Clock | None = None, **settings: Any
) -> Iterator[Office]:
    """An office on this database; without a clock it is START for ever, until it is set."""
    with shop(url, data_dir, clock=clock, **settings) as found:
        yield Office(found.app, found.resources, found.clock)


def plain(text: str) -> str:
    """What a page says: no tags, no scripts, single spaces."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", " ", text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", bare)).split())


__all__ = ["START", "Office", "Visit", "office", "plain"]
