"""Settings: every environment variable, its type, default and one sentence."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

ROOT = Path(__file__).resolve().parent
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SHORTEST_SECRET = 32
# Stores that the one client we have, that of Redis, can talk to.
COUNTER_STORES = frozenset(
    {"redis", "rediss", "redis+unix", "redis+sentinel", "redis+cluster", "memory"}
)
# Words of an address that somebody has still to replace by their own.
PLACEHOLDER = re.compile(r"your|xxx|[<>{}]|\.\.\.|…|changeme|placeholder|t00000000", re.IGNORECASE)
RETIRED_TEAMS = re.compile(r"(?:^|\.)(?:webhook\.office|outlook\.office|outlook)\.com$")
# What examples and tutorials ship; a server that starts with one of these has no secret at all.
KNOWN_SECRETS = ("change", "your-", "default", "dev-secret", "secret-key", "xxxx")


class SettingsError(Exception):
    """The environment or the workflow is set in a way the program cannot start with."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


Names = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """What the operator chose; the real environment wins over `.env`, `.env` over defaults."""

    model_config = SettingsConfigDict(
        env_file=ROOT / ".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    # Where it lives
    DATABASE_URL: str = Field("", description="Database; empty: SQLite in DATA_DIR.")
    DATA_DIR: Path = Field(ROOT / "data", description="Folder of the embedded database and keys.")
    HOST: str = Field("127.0.0.1", description="Address that `python main.py` listens on.")
    PORT: int = Field(5000, ge=0, le=65535, description="Port that `python main.py` listens on.")
    APP_URL: str = Field("", description="Public address of this program, for links in messages.")
    TRUSTED_PROXIES: int = Field(0, ge=0, le=16, description="Reverse proxies in front of us.")

    # Who may come in
    SECRET_KEY: str = Field("", description="Signs visitor tokens; at least 32 characters.")
    SECRET_KEY_PREVIOUS: str = Field("", description="The key before, still good for reading.")
    CORS_ORIGINS: Names = Field((), description="Sites that may call the widget endpoints.")
    PUBLIC_READ: Literal["masked", "off", "full"] = Field(
        "masked", description="What a bare read of a session shows."
    )
    METRICS_TOKEN: str = Field("", description="When set, /metrics wants it as a bearer token.")
    RATE_LIMIT_PER_MINUTE: int = Field(
        60, ge=1, description="Requests a session may make a minute; an address ten times as many."
    )
    RATE_LIMIT_STORAGE_URL: str = Field("", description="Shared counter store, e.g. redis://….")

    # How it runs
    DEBUG: bool = Field(False, description="More to log, reload on change; never a debugger.")
    FLASK_ENV: str = Field("development", description="`production` asks for a real SECRET_KEY.")
    LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", description="The least serious message that is logged."
    )
    LOG_FILE: str = Field("", description="File to log to; empty: standard error.")
    DEMO_MODE: bool = Field(False, description="Demo data; outgoing calls recorded, not sent.")
    AB_TESTING_ENABLED: bool = Field(True, description="Off: everybody gets the control.")
    ANALYTICS_RETENTION_DAYS: int = Field(90, ge=1, description="Days free texts are kept.")
    REALTIME_UPDATES_INTERVAL: int = Field(30, ge=1, description="Seconds between board polls.")
    SCORE_REFRESH_INTERVAL: int = Field(3600, ge=1, description="Seconds between refreshes.")
    HOT_LEAD_THRESHOLD: float | None = Field(None, ge=0, le=1000, description="Hot from here on.")
    WARM_LEAD_THRESHOLD: float | None = Field(None, ge=0, le=1000, description="Warm from here.")
    CELERY_BROKER_URL: str = Field("", description="Broker of the job workers, if there is one.")
    CELERY_RESULT_BACKEND: str = Field("", description="Where job workers leave results.")

    # Who hears of a lead
    SENDER_EMAIL: str = Field("", description="Address alerts are sent from.")
    SENDER_PASSWORD: str = Field("", description="Its password.")
    SALES_TEAM_EMAILS: Names = Field((), description="Addresses alerts are sent to.")
    EMAIL_HOST: str = Field("", description="SMTP server; smtp.gmail.com if only SENDER_* is set.")
    EMAIL_PORT: int | None = Field(587, ge=1, le=65535, description="SMTP port.")
    EMAIL_USE_TLS: bool | None = Field(True, description="Whether STARTTLS is required.")
    EMAIL_HOST_USER: str = Field("", description="SMTP user.")
    EMAIL_HOST_PASSWORD: str = Field("", description="SMTP password.")
    SLACK_WEBHOOK_URL: str = Field("", description="Slack incoming webhook.")
    DISCORD_WEBHOOK_URL: str = Field("", description="Discord webhook.")
    TEAMS_WEBHOOK_URL: str = Field("", description="Teams Workflows webhook.")
    HUBSPOT_API_KEY: str = Field("", description="HubSpot private app token.")
    OUTBOUND_ALLOWED_NETWORKS: Names = Field(
        (), description="Private networks that outgoing calls may reach."
    )

    # Told by gunicorn.conf.py, not by people
    LEADLINE_WORKERS: int = Field(1, ge=1, description="Web worker processes of this server.")
    LEADLINE_BIND: str = Field("", description="Address gunicorn really listens on.")

    @field_validator(
        "CORS_ORIGINS", "SALES_TEAM_EMAILS", "OUTBOUND_ALLOWED_NETWORKS", mode="before"
    )
    @classmethod
    def _by_comma(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("LOG_LEVEL", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("PUBLIC_READ", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    # Of validators that run before, the last one written runs first.
    @field_validator("*", mode="before")
    @classmethod
    def _without_comment(cls, value: Any, info: ValidationInfo) -> Any:
        """A value without its trailing ` # comment`, which env files of containers keep.

        An empty value is none: the default counts, as in `PORT=` of a copied example.
        """
        if not isinstance(value, str):
            return value
        bare = re.sub(r"(?:^|\s)#(?:\s.*)?$", "", value, flags=re.DOTALL).strip()
        return bare or cls.model_fields[str(info.field_name)].default

    @field_validator("DATA_DIR")
    @classmethod
    def _beside_the_program(cls, value: Path) -> Path:
        return value if value.is_absolute() else ROOT / value

    @field_validator("CORS_ORIGINS")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = urlsplit(origin)
            bare = parts.scheme in ("http", "https") and parts.netloc and not parts.path.strip("/")
            if origin != "*" and not bare:
                raise ValueError("each must be an origin such as https://www.example.com")
        return tuple(origin.rstrip("/").lower() for origin in value)

    @field_validator("OUTBOUND_ALLOWED_NETWORKS")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise ValueError("each must be a network such as 127.0.0.0/8") from None
        return value

    @field_validator("EMAIL_PORT", "EMAIL_USE_TLS", mode="wrap")
    @classmethod
    def _never_stops_the_start(cls, value: Any, read: ValidatorFunctionWrapHandler) -> Any:
        """What concerns e-mail alone switches e-mail off when it cannot be read."""
        try:
            return read(value)
        except ValueError:
            return None

    @field_validator("RATE_LIMIT_STORAGE_URL")
    @classmethod
    def _counter_store(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in COUNTER_STORES:
            raise ValueError("must begin with redis:// or rediss://")
        return value

    @field_validator("DATABASE_URL")
    @classmethod
    def _database(cls, value: str) -> str:
        try:
            backend = make_url(value).get_backend_name() if value else "sqlite"
        except ArgumentError:
            raise ValueError("is no database address such as postgresql://…") from None
        if backend not in ("sqlite", "postgresql", "postgres"):
            raise ValueError("must name SQLite or PostgreSQL")
        return value

    @field_validator("APP_URL")
    @classmethod
    def _app_url(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in ("http", "https"):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _together(self) -> Settings:
        hot, warm = self.HOT_LEAD_THRESHOLD, self.WARM_LEAD_THRESHOLD
        if hot is not None and warm is not None and warm >= hot:
            raise ValueError("WARM_LEAD_THRESHOLD must be below HOT_LEAD_THRESHOLD")
        if self.PUBLIC_READ == "full" and not self.is_loopback:
            raise ValueError("PUBLIC_READ=full is only for a server bound to 127.0.0.1 or ::1")
        if not self.is_development and self.SECRET_KEY_PREVIOUS:
            if not _is_secret(self.SECRET_KEY_PREVIOUS):
                raise ValueError("SECRET_KEY_PREVIOUS must be at least 32 random characters, too")
        if not self.is_development and not _is_secret(self.SECRET_KEY):
            raise ValueError(
                "SECRET_KEY must be set to at least 32 random characters outside development;"
                ' make one with: python -c "import secrets; print(secrets.token_urlsafe(48))"'
            )
        return self

    @property
    def bound_to(self) -> str:
        """The address the server listens on, as gunicorn or HOST says."""
        return (self.LEADLINE_BIND or self.HOST).strip("[]").lower()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.bound_to in LOOPBACK_NAMES:
            return True
        try:
            return ipaddress.ip_address(self.bound_to).is_loopback
        except ValueError:
            return False

    @property
    def is_development(self) -> bool:
        """Bound to loopback and not declared production."""
        return self.is_loopback and self.FLASK_ENV.lower() != "production"

    @property
    def is_embedded(self) -> bool:
        """Whether the database is SQLite, which this program keeps up to date by itself."""
        return make_url(self.database_url).get_backend_name() == "sqlite"

    @property
    def database_url(self) -> str:
        """DATABASE_URL, or the embedded database when none is named."""
        return self.DATABASE_URL or f"sqlite:///{self.DATA_DIR / 'leadline.db'}"

    @property
    def channels_off(self) -> dict[str, str]:
        """The settings by which a channel cannot be used, each with what is wrong and to do."""
        found = {
            f"{name}_WEBHOOK_URL": _webhook_problem(getattr(self, f"{name}_WEBHOOK_URL"))
            for name in ("SLACK", "DISCORD", "TEAMS")
        }
        if self.EMAIL_PORT is None:
            found["EMAIL_PORT"] = "is no port from 1 to 65535; e-mail is off."
        if self.EMAIL_USE_TLS is None:
            found["EMAIL_USE_TLS"] = "is neither true nor false; e-mail is off."
        return {name: problem for name, problem in found.items() if problem}

    def signing_keys(self) -> tuple[str, ...]:
        """The key that signs, then the one before it; in development one that DATA_DIR keeps."""
        current = self.SECRET_KEY if _is_secret(self.SECRET_KEY) else self._kept_secret()
        return (current, self.SECRET_KEY_PREVIOUS) if self.SECRET_KEY_PREVIOUS else (current,)

    def _kept_secret(self) -> str:
        """A secret of this machine, made once; two processes that start together agree on it."""
        self.DATA_DIR.mkdir(parents=True, exist_ok=True)
        path = self.DATA_DIR / "secret_key"
        draft = self.DATA_DIR / f"secret_key.{os.getpid()}.{secrets.token_hex(4)}"
        if not path.exists():
            draft.touch(mode=0o600)
            draft.write_text(secrets.token_urlsafe(48), encoding="ascii")
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text(encoding="ascii").strip()


def _is_secret(key: str) -> bool:
    """Whether a key is long, varied and none that a tutorial ships."""
    known = key.lower().startswith(KNOWN_SECRETS)
    return len(key) >= SHORTEST_SECRET and len(set(key)) >= 10 and not known


def _webhook_problem(address: str) -> str | None:
    """Why nothing can be sent to a webhook address, if so; the address itself is a secret."""
    if not address:
        return None
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return "is no address; the channel is off."
    if RETIRED_TEAMS.search(host):
        return "is of Office 365 connectors, which are gone; make a Workflows webhook. It is off."
    if PLACEHOLDER.search(address):
        return "is still the placeholder of an example; the channel is off."
    if parts.scheme not in ("http", "https") or not host:
        return "must begin with https://; the channel is off."
    return None


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process; SettingsError names each bad variable, never its value."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        sentences = [_sentence(problem) for problem in error.errors(include_input=False)]
        raise SettingsError("; ".join(sentences)) from None


def _sentence(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    text = problem["msg"].removeprefix("Value error, ")
    return f"{name}: {text}" if name else text
