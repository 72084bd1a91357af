"""Log lines: structured, one request told from another, and without secrets or people in them."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from logging.handlers import WatchedFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import UUID

import structlog
from structlog.typing import EventDict, Processor

from lib.crypto import short_hash
from lib.text import shorten, strip_controls

HIDDEN = "[hidden]"
HANDLER_NAME = "structlog"
ROOT = Path(__file__).resolve().parent.parent
LONGEST_VALUE = 2000
DEEPEST_VALUE = 5
LONGEST_CHAIN = 5
MOST_FRAMES = 20

# A key hides its value if one of its words is one of these, or if it holds one of the last ones.
SECRET_WORDS = frozenset(
    "address answer answers auth authorization body contact cookie credential credentials dsn"
    " email emails key keys mac mail name note notes password passwd payload personal phone"
    " profile pwd secret secrets text token webhook".split()
)
SECRET_PARTS = ("password", "secret", "token", "apikey", "webhook", "email", "phone", "username")
# Ids that are secrets, and yet lines must be told apart by them.
HASHED_KEYS = frozenset({"session", "session_id", "visitor", "visitor_id"})
OURS = frozenset({"level", "logger", "timestamp", "request_id", "errors"})

URL = re.compile(r"\b([a-z][a-z0-9+.-]{1,20})://([^\s\"'<>]+)", re.IGNORECASE)
QUERY = re.compile(r"\?[^\s\"'?]*=[^\s\"']*")
SESSION = re.compile(r"sess_[A-Za-z0-9_-]{16,}")
TOKENS = re.compile(r"\bv1\.[0-9a-f]{8}\.[0-9]+\.[A-Za-z0-9_-]+|\blk_\w+|(?i:\bbearer\s+\S+)")
EMAIL = re.compile(r"[^\s@<>\"'(),;:]{1,64}@[^\s@<>\"'(),;:]{1,255}")

# Their messages repeat what was being worked on: statements with parameters, input, keys.
TELLTALE_MODULES = ("sqlalchemy", "psycopg", "sqlite3", "pydantic", "marshmallow", "alembic")
TELLTALE_ERRORS = (ValueError, LookupError)
# Below warnings these tell statements with parameters, and paths that are secrets.
TALKATIVE = ("sqlalchemy", "urllib3", "requests", "alembic.runtime.plugins")


def configure(level: str, file: str | None = None, json: bool = True) -> None:
    """Sends every log line of the process, ours and the libraries', to one place and shape.

    To the file if there is one, else to standard error; may be called again.
    """
    handler = _handler(file)
    handler.setFormatter(_formatter(json=json))
    root = logging.getLogger()
    for old in [known for known in root.handlers if known.name == HANDLER_NAME]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


@contextmanager
def bound_request(request_id: str) -> Iterator[None]:
    """Everything logged inside carries this request id."""
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        yield


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """The event without secrets, people and visitors' words."""
    return {
        key: value if key.startswith("_") else _clean_item(key, value, depth=0)
        for key, value in event.items()
    }


def describe_exception(_logger: object, _method: str, event: EventDict) -> EventDict:
    """The event with its exception as type and frames of ours, locals and source left out."""
    raised = event.pop("exc_info", None)
    event.pop("stack_info", None)
    error = _current_error(raised)
    if error is not None:
        event["errors"] = [_described(link) for link in _chain(error)]
    return event


class _SafeFormatter(structlog.stdlib.ProcessorFormatter):
    """Puts a library's message together so that no argument can betray or break it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of this record."""
        if not isinstance(record.msg, dict):
            record = logging.makeLogRecord(record.__dict__)
            record.msg, record.args = _message(record), ()
        return super().format(record)


def _handler(file: str | None) -> logging.Handler:
    handler: logging.Handler
    if file:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        handler = WatchedFileHandler(file, encoding="utf-8", errors="backslashreplace")
    else:
        handler = logging.StreamHandler(sys.stderr)
    handler.name = HANDLER_NAME
    return handler


def _formatter(*, json: bool) -> logging.Formatter:
    renderer: Processor = structlog.processors.JSONRenderer()
    if not json:
        renderer = structlog.dev.ConsoleRenderer(colors=False)
    return _SafeFormatter(
        foreign_pre_chain=_shared(),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def _shared() -> list[Processor]:
    """What happens to every line, whoever wrote it; redaction last, so that it sees all."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        describe_exception,
        redact,
    ]


def _message(record: logging.LogRecord) -> str:
    """The message with its arguments filled in, an exception among them by its type only."""
    args: Any = record.args
    if isinstance(args, tuple):
        args = tuple(map(_without_error, args))
    elif isinstance(args, Mapping):
        args = {key: _without_error(value) for key, value in args.items()}
    try:
        template = str(_without_error(record.msg))
        return template % args if args else template
    except Exception:
        # The standard library would print the arguments to standard error instead.
        return f"{shorten(str(record.msg), LONGEST_VALUE)} [arguments left out]"


def _without_error(value: object) -> object:
    return _told(value) if isinstance(value, BaseException) else value


def _clean_item(key: str, value: object, *, depth: int) -> object:
    if key in OURS:
        return value
    if key.lower() in HASHED_KEYS and isinstance(value, str):
        return f"#{short_hash(value)}"
    if value is not None and not isinstance(value, bool) and _is_secret(key):
        return HIDDEN
    return _clean(value, depth=depth)


def _is_secret(key: str) -> bool:
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", key[:200])]
    joined = "".join(words)
    return not SECRET_WORDS.isdisjoint(words) or any(part in joined for part in SECRET_PARTS)


def _clean(value: object, *, depth: int) -> object:
    """The value as plain data; of an object that could tell anything only its type."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, datetime | date | Decimal | UUID | Path):
        return _clean_text(str(value))
    if isinstance(value, BaseException):
        return _told(value)
    if isinstance(value, Mapping) and depth < DEEPEST_VALUE:
        return {
            _clean_text(str(key)): _clean_item(str(key), part, depth=depth + 1)
            for key, part in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset) and depth < DEEPEST_VALUE:
        return [_clean(part, depth=depth + 1) for part in value]
    return f"<{type(value).__name__}>"


def _clean_text(text: str) -> str:
    """The text on one line, with what opens doors or names people taken out."""
    # Short before anything is searched in it: a visitor may have written it.
    plain = strip_controls(shorten(text, LONGEST_VALUE))
    plain = URL.sub(_host_only, plain)
    plain = QUERY.sub("?…", plain)
    plain = SESSION.sub(lambda found: f"sess_#{short_hash(found[0])}", plain)
    plain = TOKENS.sub(HIDDEN, plain)
    return EMAIL.sub(HIDDEN, plain)


def _host_only(found: re.Match[str]) -> str:
    """`https://host/…`: user, path and query of an address may each be a secret."""
    scheme, rest = found.groups()
    authority, *path = re.split(r"[/?#]", rest, maxsplit=1)
    if path and "@" in path[0]:
        # Perhaps a password with a slash in it: then nothing here is surely the host.
        return f"{scheme}://…"
    host = authority.rpartition("@")[2]
    return f"{scheme}://{host}" + ("/…" if path and path[0] else "")


def _current_error(raised: object) -> BaseException | None:
    if isinstance(raised, BaseException):
        return raised
    if isinstance(raised, tuple):
        return raised[1] if len(raised) == 3 else None
    return sys.exc_info()[1] if raised else None


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what it came from, the last first."""
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links and len(links) < LONGEST_CHAIN:
        links.append(link)
        shown = None if link.__suppress_context__ else link.__context__
        link = link.__cause__ or shown
    return links


def _described(error: BaseException) -> MutableMapping[str, object]:
    return {"type": _told(error), "frames": _frames(error.__traceback__)}


def _told(error: BaseException) -> str:
    """The error's type, with its message unless that may hold what somebody typed."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)
    # What an error was raised from is often quoted in it.
    if isinstance(error, TELLTALE_ERRORS) or any(map(_is_telltale, _chain(error))):
        return name
    message = shorten(_clean_text(str(error)), 300)
    return f"{name}: {message}" if message else name


def _full_name(kind: type[BaseException]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_telltale(error: BaseException) -> bool:
    return any(base.__module__.startswith(TELLTALE_MODULES) for base in type(error).__mro__)


def _frames(traceback: TracebackType | None) -> list[str]:
    """`services/lead_service.py:12 create`, for frames of ours only, the innermost last."""
    frames: list[str] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        path = Path(code.co_filename)
        if path.is_relative_to(ROOT) and "site-packages" not in path.parts:
            name = path.relative_to(ROOT).as_posix()
            frames.append(f"{name}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return frames[-MOST_FRAMES:]
