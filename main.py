"""The front door: settings in, application out; every blueprint and its URL prefix in one list."""

from __future__ import annotations

import functools
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import structlog
from flask import Flask
from sqlalchemy.exc import DBAPIError
from werkzeug.serving import WSGIRequestHandler, is_running_from_reloader, make_server, run_simple

import cli
import services
from config import Settings, SettingsError, load_settings
from errors import LeadlineError
from jobs import demo, relay, runner
from lib import logging
from notification_service import ASKED
from services import Services
from services.account_mail import LINK
from services.resources import Resources
from web import endpoints, errors, headers, limits, unreadable
from web.api import ab_tests, alerts, analytics, catalog, conversation, deliveries, exports, health
from web.api import experiments
from web.api import imports as imports_api
from web.api import jobs as jobs_api
from web.api import leads
from web.api import predictions
from web.console import access as console_access
from web.console import agents as console_agents
from web.console import alerts as console_alerts
from web.console import assets as console_assets
from web.console import campaigns as console_campaigns
from web.console import dashboard as console_dashboard
from web.console import audit as console_audit
from web.console import board as console_board
from web.console import board_stages as console_board_stages
from web.console import calendar as console_calendar
from web.console import calendar_feed as console_calendar_feed
from web.console import deliveries as console_deliveries
from web.console import follow_up as console_follow_up
from web.console import keys as console_keys
from web.console import one_time as console_one_time
from web.console import people as console_people
from web.console import profile as console_profile
from web.console import duplicates as console_duplicates
from web.console import experiments as console_experiments
from web.console import imports as console_imports
from web.console import lead as console_lead
from web.console import lead_entry as console_lead_entry
from web.console import lead_work as console_lead_work
from web.console import leads as console_leads
from web.console import now as console_now
from web.console import models as console_models
from web.console import privacy as console_privacy
from web.console import setting as console_setting
from web.console import workflow as console_workflow
from web.console import workflow_draft as console_workflow_draft
from web.console import workflow_try as console_workflow_try
from web.console import workflow_typed as console_workflow_typed
from web.console import workspace as console_workspace
from web.widget import chat, files, shop, told

BLUEPRINTS = (
    (conversation.api, ""),
    (catalog.api, ""),
    # Before the leads: "refresh" is no id of one.
    (jobs_api.api, ""),
    (leads.api, ""),
    (predictions.api, ""),
    (imports_api.api, ""),
    (alerts.api, ""),
    (deliveries.api, ""),
    (exports.api, ""),
    (analytics.api, ""),
    (ab_tests.api, ""),
    (experiments.api, ""),
    (health.api, ""),
)
# Pages for people; no part of the documented API.
PAGES = (
    (chat.pages, ""),
    (shop.pages, ""),
    (files.pages, ""),
    (console_assets.pages, ""),
    (console_access.pages, ""),
    (console_dashboard.pages, ""),
    (console_campaigns.pages, ""),
    (console_agents.pages, ""),
    (console_now.pages, ""),
    (console_leads.pages, ""),
    (console_lead_entry.pages, ""),
    (console_duplicates.pages, ""),
    (console_lead.pages, ""),
    (console_lead_work.pages, ""),
    (console_profile.pages, ""),
    (console_people.pages, ""),
    (console_one_time.pages, ""),
    (console_keys.pages, ""),
    (console_audit.pages, ""),
    (console_board.pages, ""),
    (console_board_stages.pages, ""),
    (console_calendar.pages, ""),
    (console_calendar_feed.pages, ""),
    (console_follow_up.pages, ""),
    (console_alerts.pages, ""),
    (console_deliveries.pages, ""),
    (console_imports.pages, ""),
    (console_privacy.pages, ""),
    (console_models.pages, ""),
    (console_experiments.pages, ""),
    (told.pages, ""),
    (console_workflow.pages, ""),
    (console_workflow_draft.pages, ""),
    (console_workflow_try.pages, ""),
    (console_workflow_typed.pages, ""),
    (console_workspace.pages, ""),
)

# Seconds that Ctrl-C waits for messages that are being sent; their leases outlive us.
PATIENCE = 5.0

log = structlog.get_logger(__name__)
_once = threading.RLock()


def create_app(settings: Settings | None = None, resources: Resources | None = None) -> Flask:
    """An application of its own; without arguments that of this process's environment."""
    ours = resources or (Resources.from_settings(settings) if settings else _process_resources())
    app = Flask("leadline", static_folder=None)
    app.extensions["leadline"] = ours
    headers.register(app, ours)
    limits.register(app, ours)
    errors.register(app)
    documentation = endpoints.register(app)
    for blueprint, prefix in BLUEPRINTS:
        documentation.register_blueprint(blueprint, url_prefix=prefix)
    for pages, prefix in PAGES:
        app.register_blueprint(pages, url_prefix=prefix or None)
    console_setting.register(app)
    health.register_docs(app)
    cli.register(app)
    ours.metrics.allow_routes(rule.rule for rule in app.url_map.iter_rules())
    return app


def resources() -> Resources:
    """What this process shares, built from its environment when it is first asked for."""
    return _process_resources()


@contextmanager
def unit_of_work() -> Iterator[Services]:
    """The use cases in one transaction of this process, committed when the block ends."""
    with services.unit_of_work(resources()) as ours:
        yield ours
    asked = ours.session.info.pop(ASKED, ())
    if asked:
        relay.send_asked(ours.resources, asked)


def serve() -> None:
    """Brings the embedded database up to date and serves until Ctrl-C."""
    try:
        ours = resources()
        app = _process_app()
    except SettingsError as error:
        _stop(2, *error.message.split("; "))
    settings = ours.settings
    if settings.is_embedded and not is_running_from_reloader():
        services.prepare(ours)
    if settings.DEMO_MODE and not is_running_from_reloader():
        for line in demo.fill(ours):
            print(line, flush=True)
    # With the reloader two processes run; only the one that serves may relay, too.
    clock = runner.embedded(ours)
    if not settings.DEBUG or is_running_from_reloader():
        clock.start()
    try:
        if settings.DEBUG:
            _serve_and_reload(app, settings)
        else:
            _serve(app, settings)
    finally:
        clock.stop(PATIENCE)


def _serve(app: Flask, settings: Settings) -> None:
    listening = _listen(settings.HOST, settings.PORT)
    port = listening.getsockname()[1]
    server = make_server(
        settings.HOST, port, app, threaded=True, request_handler=_Quiet, fd=listening.fileno()
    )
    _welcome(settings.HOST, port)
    _invite_first(app, settings.HOST, port)
    try:
        server.serve_forever()
    finally:
        listening.close()
    print("Stopped.")


def _serve_and_reload(app: Flask, settings: Settings) -> None:
    if not is_running_from_reloader():
        _listen(settings.HOST, settings.PORT).close()
        _welcome(settings.HOST, settings.PORT)
        _invite_first(app, settings.HOST, settings.PORT)
    run_simple(
        settings.HOST,
        settings.PORT,
        app,
        threaded=True,
        use_reloader=True,
        use_debugger=False,
        request_handler=_Quiet,
    )


class _Head:
    """The head of a request while it is read; `is_whole` once its empty line has come."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.is_whole = False

    def readline(self, limit: int = -1) -> bytes:
        """The next line, as the library reads it."""
        line: bytes = self._stream.readline(limit)
        self.is_whole = line in (b"\r\n", b"\n")
        return line


class _Quiet(WSGIRequestHandler):
    """Serves without a log line of its own: those of the library hold paths, and so session ids."""

    def parse_request(self) -> bool:
        """Whether there is a request to serve; the library takes a head cut short for a whole."""
        stream = self.rfile
        self.rfile = head = _Head(stream)  # type: ignore[assignment]
        try:
            can_serve = super().parse_request()
        finally:
            self.rfile = stream
        if can_serve and not head.is_whole:
            self.close_connection = True
        return can_serve and head.is_whole

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuses what cannot be read as everything is refused here; the library has a page."""
        refusal = unreadable.refusal(code)
        # Of a line that is none it believes HTTP 0.9, which has neither status nor headers.
        self.request_version = self.protocol_version
        self.send_response(refusal.status)
        for name, value in refusal.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(refusal.body)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Says nothing; web/headers.py logs every request."""

    def version_string(self) -> str:
        """Who serves, without versions that tell an attacker where to look."""
        return "Leadline"


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket, or one clear sentence about why there is none."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        _stop(1, f"Cannot listen on {host}:{port} ({error.strerror}); set HOST or PORT otherwise.")
    return listening


def _welcome(host: str, port: int) -> None:
    base = _address(host, port)
    print(f"Leadline is running at {base}")
    for what, path in (("Chat", "/chat"), ("API, to read and try", "/docs"), ("Health", "/health")):
        print(f"  {what}: {base}{path}")
    print("Stop it with Ctrl-C.", flush=True)


def _invite_first(app: Flask, host: str, port: int) -> None:
    """Prints the way into the console: for the first admin a link that works once."""
    ours: Resources = app.extensions["leadline"]
    base = ours.settings.APP_URL or _address(host, port)
    try:
        with services.unit_of_work(ours) as here:
            token = here.links.make_set_up(by="start")
    except (LeadlineError, DBAPIError) as error:
        # It serves all the same, and says by itself what is wrong with its database.
        log.warning("no set-up link could be made", error=type(error).__name__)
        return
    if token is None:
        print(f"Console: {base}/console", flush=True)
        return
    print("Nobody works here yet. Within 30 minutes, become the first admin by this link:")
    print(f"  {base}{LINK}{token}", flush=True)


def _address(host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    name = "127.0.0.1" if host in ("0.0.0.0", "::") else name
    return f"http://{name}:{port}"


def _stop(status: int, *sentences: str) -> NoReturn:
    for sentence in sentences:
        print(sentence, file=sys.stderr)
    sys.exit(status)


@functools.cache
def _built_resources() -> Resources:
    settings = load_settings()
    level = "DEBUG" if settings.DEBUG else settings.LOG_LEVEL
    try:
        logging.configure(level, settings.LOG_FILE or None, json=not settings.is_development)
    except OSError as error:
        raise SettingsError(f"LOG_FILE cannot be written ({error.strerror}).") from None
    for name, problem in settings.channels_off.items():
        log.warning("a channel is switched off", setting=name, reason=problem)
    return Resources.from_settings(settings)


def _process_resources() -> Resources:
    # The lock, because a cache alone would let two threads that come first build one each.
    with _once:
        return _built_resources()


@functools.cache
def _built_app() -> Flask:
    return create_app()


def _process_app() -> Flask:
    with _once:
        return _built_app()


def __getattr__(name: str) -> Any:
    """`app`, for gunicorn and flask, built when it is first asked for."""
    if name == "app":
        return _process_app()
    raise AttributeError(f"module 'main' has no attribute {name!r}")


if __name__ == "__main__":
    # As `main`, so that older scripts' looks upwards find this process's resources.
    sys.modules["main"] = sys.modules["__main__"]
    try:
        serve()
    except KeyboardInterrupt:
        print("Stopped.")
