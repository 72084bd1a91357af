"""The guard of the house: who may import what, and proof that each rule can fail."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.guard import (
    Door,
    House,
    Lock,
    Look,
    Picture,
    third_party_imports,
    violations,
)

ROOT = Path(__file__).resolve().parents[2]

# The one picture. A module imports only from the lines below its own; names on one line do not
# know each other; inside a folder imports are free as long as they make no circle.
PICTURE = """
   the street   main
                cli
                web (api | console | widget | inbound)      jobs      check_database
                schemas
   use cases    services
                notification_service          ab_testing_service
                alert_contents  delivery_results      experiment_draws
                outbox
   the world    models     many_rows          integrations              ml
                database
   pure         workflow_config              engine
                config                       errors
   the cellar   lib
"""
# What has sources and stands outside the picture.
OUTSIDE = frozenset({"migrations", "tests", "tools", "frontend", "docs", "gunicorn.conf"})

FLASK = ("flask", "flask_*", "werkzeug", "webargs", "apispec")
ORM = ("sqlalchemy", "alembic", "database", "many_rows", "models")
NETWORK = ("requests", "urllib3", "httpx", "aiohttp", "urllib.request")
CLOCKS = (
    *("time", "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"),
    *("datetime.date.today", "lib.clock.SystemClock"),
)
OUTER_WORLD = (
    "socket",
    "ssl",
    "http",
    "smtplib",
    "subprocess",
    "os",
    "secrets",
    "sqlite3",
    "builtins.open",
)
USE_CASES = (
    *("services", "notification_service", "alert_contents", "delivery_results"),
    *("ab_testing_service", "experiment_draws", "outbox"),
)
VIEWS = ("web.api", "web.console", "web.widget", "web.inbound")

HOUSE = House(
    picture=Picture.parse(PICTURE),
    outside=OUTSIDE,
    locks=(
        Lock(
            ("engine",),
            (*FLASK, "marshmallow", *ORM, "psycopg2", "redis", *NETWORK, *CLOCKS, *OUTER_WORLD),
            "engine computes from its arguments: no framework, no network, no clock",
        ),
        Lock(("integrations", "ml"), (*FLASK, *ORM), "it takes plain data: no Flask, no ORM"),
        Lock(USE_CASES, (*FLASK, "marshmallow", "requests"), "a use case knows no HTTP"),
        Lock(VIEWS, (*ORM, "integrations", "ml"), "a view calls services only"),
    ),
    doors=(
        Door(
            ("config",),
            (
                *("main", "cli", "check_database", "jobs.runner", "jobs.celery_app"),
                "services.resources",
            ),
            "settings are read at the entrances only",
        ),
        Door(NETWORK, ("integrations.http",), "integrations.http is the only door out"),
    ),
    # Older scripts call services on the class and import `engine` from database.
    looks=(Look("lib.on_class", "main"), Look("database", "main", "__getattr__")),
)

# Direct requirements that nothing imports, each with the one who loads it.
DRIVERS = {
    "psycopg2-binary": "SQLAlchemy loads it for a postgresql:// address",
    "gunicorn": "the server; it imports us",
    "redis": "limits loads it for RATE_LIMIT_STORAGE_URL",
    "tzdata": "zoneinfo reads it where the system has no time zones",
}
IMPORT_NAMES = {"scikit-learn": "sklearn", "python-dotenv": "dotenv", "argon2-cffi": "argon2"}
REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)


def test_the_house_is_as_its_picture_says() -> None:
    assert violations(ROOT, HOUSE) == []


def test_the_picture_has_its_lines_and_surfaces() -> None:
    lines = HOUSE.picture.lines

    assert lines["main"] == 0
    assert lines["cli"] < lines["web"] == lines["jobs"] == lines["check_database"]
    assert lines["models"] == lines["integrations"] == lines["ml"] < lines["database"]
    assert max(lines, key=lambda name: lines[name]) == "lib"
    assert HOUSE.picture.surfaces == {"web": ["api", "console", "widget", "inbound"]}
    assert not {"the", "street", "use", "cases", "world", "pure", "cellar"} & set(lines)


def test_every_direct_requirement_is_imported() -> None:
    listed = REQUIREMENT.findall((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    imported = third_party_imports(ROOT, HOUSE, also=["migrations", "gunicorn.conf.py"])

    idle = [
        name
        for name in listed
        if name not in DRIVERS and IMPORT_NAMES.get(name, name.replace("-", "_")) not in imported
    ]

    assert idle == []


def test_every_driver_is_still_required() -> None:
    listed = REQUIREMENT.findall((ROOT / "requirements.txt").read_text(encoding="utf-8"))

    assert set(DRIVERS) - set(listed) == set()


# A small house in which all is well; every case below breaks one thing in it.
SOUND = {
    "main.py": "import flask\nimport config\nfrom web.api import leads\n",
    "config.py": "",
    "errors.py": "",
    "database.py": "import sqlalchemy\n\ndef __getattr__(name):\n    import main\n",
    "models.py": "from database import Base\n",
    "outbox.py": "import models\n",
    "engine/points.py": "from datetime import date\n\ndef f(time: date):\n    return time\n",
    "lib/on_class.py": "def unit():\n    import main\n",
    "lib/clock.py": "import time\n",
    "integrations/http.py": "import requests\n",
    "services/__init__.py": "from services.lead_service import LeadService\n",
    "services/lead_service.py": "from models import Lead\nfrom engine import points\n",
    "web/auth.py": "import flask\n",
    "web/api/leads.py": "from services import LeadService\nfrom web import auth\n",
    "gunicorn.conf.py": "import os\n",
    "tests/test_all.py": "import main, requests\n",
    "migrations/env.py": "import config\n",
}

PLANTED = {
    "upwards": ("models.py", "import services", "models:1 imports services, which stands above it"),
    "upwards in a function": (
        *("lib/text.py", "def f():\n    from engine import points"),
        "lib.text:2 imports engine.points, which stands above it",
    ),
    "upwards for types only": (
        *("lib/text.py", "if TYPE_CHECKING:\n    import models"),
        "lib.text:2 imports models, which stands above it",
    ),
    "upwards by importlib": (
        *("lib/text.py", "import importlib\nimportlib.import_module('models')"),
        "lib.text:2 imports models, which stands above it",
    ),
    "on one line": (
        *("models.py", "import database\nimport ml.train"),
        "models:2 imports ml.train, which stands on its own line",
    ),
    "a circle": (
        *("services/lead_service.py", "import services"),
        "circle: services, services.lead_service",
    ),
    "a long circle": (
        *("engine/points.py", "from engine.flow import a", "circle: engine.flow, engine.points"),
        *("engine/flow.py", "def f():\n    import engine.points"),
    ),
    "another surface": (
        *("web/console/page.py", "from web.api import leads"),
        "web.console.page:1 imports web.api.leads, which is another surface",
    ),
    "a second door out": (
        *("jobs/relay.py", "from urllib import request"),
        "jobs.relay:1 imports urllib.request: integrations.http is the only door out",
    ),
    "a framework in engine": (
        "engine/flow.py",
        "import flask_login",
        "imports flask_login: engine",
    ),
    "the network in engine": (
        *("engine/flow.py", "import socket"),
        "engine.flow:1 imports socket: engine",
    ),
    "time in engine": ("engine/flow.py", "from time import time", "imports time.time: engine"),
    "the clock in engine": (
        *("engine/flow.py", "import datetime as d\nat = d.datetime.now(d.UTC)"),
        "engine.flow:2 uses datetime.datetime.now: engine",
    ),
    "the clock in engine, by another name": (
        *("engine/flow.py", "from datetime import date as day\nfield(default_factory=day.today)"),
        "engine.flow:2 uses datetime.date.today: engine",
    ),
    "our clock in engine": (
        *("engine/flow.py", "from lib.clock import SystemClock"),
        "imports lib.clock.SystemClock: engine",
    ),
    "a file in engine": ("engine/flow.py", "open('x')", "engine.flow:1 uses builtins.open: engine"),
    "Flask in integrations": (
        *("integrations/slack.py", "from flask import g"),
        "integrations.slack:1 imports flask.g: it takes plain data",
    ),
    "the ORM in ml": (
        *("ml/train.py", "def f():\n    from sqlalchemy.orm import Session"),
        "ml.train:2 imports sqlalchemy.orm.Session: it takes plain data",
    ),
    "our ORM in ml": ("ml/train.py", "import database", "ml.train:1 imports database: it takes"),
    "Flask in a use case": ("outbox.py", "import flask", "outbox:1 imports flask: a use case"),
    "marshmallow in a use case": (
        *("services/lead_service.py", "import marshmallow"),
        "services.lead_service:1 imports marshmallow: a use case",
    ),
    "the ORM in a view": (
        *("web/api/leads.py", "from sqlalchemy import select"),
        "web.api.leads:1 imports sqlalchemy.select: a view",
    ),
    "models in a view": (
        *("web/widget/chat.py", "from models import Lead"),
        "web.widget.chat:1 imports models.Lead: a view",
    ),
    "integrations in a view": (
        *("web/inbound/crm.py", "import integrations.http"),
        "web.inbound.crm:1 imports integrations.http: a view",
    ),
    "config read anywhere": (
        *("services/lead_service.py", "from config import Settings"),
        "services.lead_service:1 imports config.Settings: settings are read",
    ),
    "requests used anywhere": (
        *("check_database.py", "import requests"),
        "check_database:1 imports requests: integrations.http is the only door out",
    ),
    "a relative import": (
        "web/api/leads.py",
        "from . import x",
        "web.api.leads:1 imports relatively",
    ),
    "another look upwards": (
        *("lib/text.py", "def f():\n    import main"),
        "lib.text:2 imports main, which stands above it",
    ),
    "a look upwards on import": (
        *("lib/on_class.py", "import main"),
        "lib.on_class:1 imports main, which stands above it",
    ),
    "a look upwards from elsewhere in database": (
        *("database.py", "def f():\n    import main"),
        "database:2 imports main, which stands above it",
    ),
    "a file without a place": ("helpers.py", "", "helpers has no place in the picture"),
    "a folder without a place": ("misc/a.py", "", "misc has no place in the picture"),
    "tests in the program": (
        *("lib/text.py", "from tests import conftest"),
        "lib.text:1 imports tests.conftest, which stands outside the picture",
    ),
}


def _build(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def test_a_sound_house_is_left_in_peace(tmp_path: Path) -> None:
    _build(tmp_path, SOUND)

    assert violations(tmp_path, HOUSE) == []


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_planted_violation_is_caught(tmp_path: Path, planted: tuple[str, ...]) -> None:
    file, source, expected, *more = planted
    _build(tmp_path, {**SOUND, file: source, **dict(zip(more[::2], more[1::2], strict=True))})

    found = violations(tmp_path, HOUSE)

    assert len(found) == 1, found
    assert expected in found[0]


def test_an_idle_requirement_would_be_noticed(tmp_path: Path) -> None:
    _build(tmp_path, SOUND)

    imported = third_party_imports(tmp_path, HOUSE, also=["gunicorn.conf.py"])

    assert {"flask", "requests", "sqlalchemy", "os"} <= imported
    assert "pytest" not in imported and "main" not in imported
