"""Every setting: its default, how it is read, and the sentence that a bad one gets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config import ROOT, Settings, SettingsError, load_settings

SECRET = "p4Wq8Zr1Ty6Ui3Op9As2Df5Gh7Jk0Lz6Xc1"
OTHER = "Xc6zL0kJ7hG5fD2sA9pO3iU6yT1rZ8qW4p9"
# The variables of the contract, with what counts when nobody sets them.
DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(("DATABASE_URL", "SECRET_KEY", "SECRET_KEY_PREVIOUS", "APP_URL"), ""),
    **dict.fromkeys(("SENDER_EMAIL", "SENDER_PASSWORD", "SLACK_WEBHOOK_URL"), ""),
    **dict.fromkeys(("DISCORD_WEBHOOK_URL", "TEAMS_WEBHOOK_URL", "HUBSPOT_API_KEY"), ""),
    **dict.fromkeys(("RATE_LIMIT_STORAGE_URL", "LOG_FILE", "METRICS_TOKEN"), ""),
    **dict.fromkeys(("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"), ""),
    **dict.fromkeys(("EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD"), ""),
    **dict.fromkeys(("SALES_TEAM_EMAILS", "CORS_ORIGINS", "OUTBOUND_ALLOWED_NETWORKS"), ()),
    "DATA_DIR": ROOT / "data",
    "DEBUG": False,
    "FLASK_ENV": "development",
    "AB_TESTING_ENABLED": True,
    "ANALYTICS_RETENTION_DAYS": 90,
    "REALTIME_UPDATES_INTERVAL": 30,
    "RATE_LIMIT_PER_MINUTE": 60,
    "LOG_LEVEL": "INFO",
    "SCORE_REFRESH_INTERVAL": 3600,
    "DEMO_MODE": False,
    "HOST": "127.0.0.1",
    "PORT": 5000,
    "TRUSTED_PROXIES": 0,
    "PUBLIC_READ": "masked",
    "EMAIL_PORT": 587,
    "EMAIL_USE_TLS": True,
}
BOOLEANS = ("DEBUG", "AB_TESTING_ENABLED", "DEMO_MODE", "EMAIL_USE_TLS")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting from this machine, and no file."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(Settings.model_config, "env_file", None)


def _read(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def _refused(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    with pytest.raises(SettingsError) as refusal:
        _read(monkeypatch, **variables)
    return refusal.value.message


def test_every_variable_has_its_default() -> None:
    settings = load_settings()

    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS
    assert settings.HOT_LEAD_THRESHOLD is None and settings.WARM_LEAD_THRESHOLD is None
    assert settings.database_url == f"sqlite:///{ROOT / 'data' / 'leadline.db'}"
    assert settings.is_development and settings.is_loopback and settings.is_embedded


@pytest.mark.parametrize("name", BOOLEANS)
def test_booleans_are_read_in_any_case(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for text in ("True", "true", "TRUE", "1", "on", "On", "yes", "YES"):
        assert getattr(_read(monkeypatch, **{name: text}), name) is True, text
    for text in ("False", "false", "FALSE", "0", "off", "OFF", "no", "No"):
        assert getattr(_read(monkeypatch, **{name: text}), name) is False, text


def test_lists_are_read_by_comma(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _read(
        monkeypatch,
        SALES_TEAM_EMAILS=" a@example.com, b@example.com ,, ",
        CORS_ORIGINS="https://Shop.example.com/,http://localhost:3000",
        OUTBOUND_ALLOWED_NETWORKS="127.0.0.0/8, 10.1.2.3",
    )

    assert settings.SALES_TEAM_EMAILS == ("a@example.com", "b@example.com")
    assert settings.CORS_ORIGINS == ("https://shop.example.com", "http://localhost:3000")
    assert settings.OUTBOUND_ALLOWED_NETWORKS == ("127.0.0.0/8", "10.1.2.3")
    assert _read(monkeypatch, CORS_ORIGINS="*").CORS_ORIGINS == ("*",)


def test_a_trailing_comment_is_no_part_of_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _read(
        monkeypatch,
        PORT="8080 # of the load balancer",
        DEBUG="False  # never in production",
        SALES_TEAM_EMAILS="a@example.com # Ann",
        HOT_LEAD_THRESHOLD=" # later",
        SENDER_PASSWORD="pa#ss",
        APP_URL="https://leads.example.com/ # public",
    )

    assert settings.PORT == 8080 and settings.DEBUG is False
    assert settings.SALES_TEAM_EMAILS == ("a@example.com",)
    assert settings.HOT_LEAD_THRESHOLD is None
    assert settings.SENDER_PASSWORD == "pa#ss"
    assert settings.APP_URL == "https://leads.example.com"


def test_an_empty_value_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [name for name in Settings.model_fields if name not in ("LEADLINE_BIND",)]

    assert _read(monkeypatch, **dict.fromkeys(names, "")) == load_settings()
    assert _read(monkeypatch, **dict.fromkeys(names, " # later")).HOST == "127.0.0.1"


def test_the_environment_wins_over_the_file_and_the_file_over_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_text("PORT=7000\nHOT_LEAD_THRESHOLD=80 # hot\nUNKNOWN=1\nSLACK_WEBHOOK_URL=\n")
    monkeypatch.setitem(Settings.model_config, "env_file", file)

    settings = _read(monkeypatch, PORT="7001")
    assert settings.PORT == 7001 and settings.HOT_LEAD_THRESHOLD == 80
    assert settings.RATE_LIMIT_PER_MINUTE == 60


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty-secret"),
        ("PORT", "70000"),
        ("DEBUG", "maybe-secret"),
        ("AB_TESTING_ENABLED", "sometimes"),
        ("TRUSTED_PROXIES", "-1"),
        ("RATE_LIMIT_PER_MINUTE", "0"),
        ("RATE_LIMIT_STORAGE_URL", "carrier-pigeon://secret"),
        ("LOG_LEVEL", "loud-secret"),
        ("PUBLIC_READ", "everything"),
        ("CORS_ORIGINS", "shop.example.com/secret"),
        ("CORS_ORIGINS", "https://shop.example.com/path-secret"),
        ("OUTBOUND_ALLOWED_NETWORKS", "not-a-network"),
        ("DATABASE_URL", "mysql://user:secret@host/db"),
        ("DATABASE_URL", "no address secret"),
        ("APP_URL", "leads.example.com"),
        ("HOT_LEAD_THRESHOLD", "very-hot"),
        ("WARM_LEAD_THRESHOLD", "nan"),
        ("ANALYTICS_RETENTION_DAYS", "0"),
        ("REALTIME_UPDATES_INTERVAL", "often"),
        ("SCORE_REFRESH_INTERVAL", "-5"),
    ],
)
def test_a_bad_value_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    message = _refused(monkeypatch, **{name: value})

    assert message.startswith(f"{name}: ")
    assert value not in message and "secret" not in message


def test_all_bad_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    message = _refused(monkeypatch, PORT="x", LOG_LEVEL="y", DEBUG="z")

    assert {part.split(":")[0] for part in message.split("; ")} == {"PORT", "LOG_LEVEL", "DEBUG"}


def test_warm_lies_below_hot(monkeypatch: pytest.MonkeyPatch) -> None:
    message = _refused(monkeypatch, HOT_LEAD_THRESHOLD="40", WARM_LEAD_THRESHOLD="60")

    assert "WARM_LEAD_THRESHOLD" in message and "HOT_LEAD_THRESHOLD" in message


@pytest.mark.parametrize(
    "where",
    [{"FLASK_ENV": "production"}, {"HOST": "0.0.0.0"}, {"LEADLINE_BIND": "0.0.0.0"}],
)
@pytest.mark.parametrize("key", ["", "short", "x" * 64, "change-me-please-" * 3, "your-secret" * 5])
def test_a_server_that_others_reach_needs_a_real_secret(
    monkeypatch: pytest.MonkeyPatch, where: dict[str, str], key: str
) -> None:
    message = _refused(monkeypatch, **where, SECRET_KEY=key)

    assert message.startswith("SECRET_KEY must be set")
    assert key == "" or key not in message
    assert _read(monkeypatch, **where, SECRET_KEY=SECRET).signing_keys() == (SECRET,)


def test_a_key_before_is_as_good_as_the_one_that_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"FLASK_ENV": "production", "SECRET_KEY": SECRET}
    assert "SECRET_KEY_PREVIOUS" in _refused(monkeypatch, **known, SECRET_KEY_PREVIOUS="default")

    settings = _read(monkeypatch, **known, SECRET_KEY_PREVIOUS=OTHER)
    assert settings.signing_keys() == (SECRET, OTHER)


def test_in_development_a_secret_is_made_and_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = _read(monkeypatch, DATA_DIR=str(tmp_path / "new"))

    [key] = settings.signing_keys()
    assert len(key) >= 32 and settings.signing_keys() == (key,)
    assert _read(monkeypatch, SECRET_KEY="short").signing_keys() == (key,)
    assert (tmp_path / "new" / "secret_key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1", "[::1]"])
def test_full_reading_is_for_this_machine_alone(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    settings = _read(monkeypatch, PUBLIC_READ="Full", HOST=host)
    assert settings.PUBLIC_READ == "full" and settings.is_development

    for elsewhere in ({"HOST": "0.0.0.0"}, {"HOST": "192.168.0.5"}, {"LEADLINE_BIND": "::"}):
        message = _refused(monkeypatch, **elsewhere, SECRET_KEY=SECRET)
        assert message.startswith("PUBLIC_READ=full")
        monkeypatch.delenv("LEADLINE_BIND", raising=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/YOUR/WEBHOOK/URL"),
        ("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXX"),
        ("SLACK_WEBHOOK_URL", "hooks.slack.com/services/T1/B1/abc"),
        ("DISCORD_WEBHOOK_URL", "https://discord.com/api/webhooks/..."),
        ("DISCORD_WEBHOOK_URL", "https://[half"),
        ("TEAMS_WEBHOOK_URL", "https://acme.webhook.office.com/webhookb2/1@2/IncomingWebhook/3/4"),
        ("TEAMS_WEBHOOK_URL", "https://outlook.office.com/webhook/1@2/IncomingWebhook/3/4"),
        ("EMAIL_PORT", "smtp"),
        ("EMAIL_PORT", "0"),
        ("EMAIL_USE_TLS", "perhaps"),
    ],
)
def test_what_concerns_one_channel_switches_it_off_and_never_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    settings = _read(monkeypatch, **{name: value})

    assert list(settings.channels_off) == [name]
    assert value not in settings.channels_off[name]


def test_good_channels_are_on(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _read(
        monkeypatch,
        SLACK_WEBHOOK_URL="https://hooks.slack.com/services/T1AB/B2CD/e3f4",
        DISCORD_WEBHOOK_URL="https://discord.com/api/webhooks/123/abc",
        TEAMS_WEBHOOK_URL="https://prod-1.westeurope.logic.azure.com:443/workflows/abc?sig=x",
    )
    assert settings.channels_off == {}
    assert _read(monkeypatch, SLACK_WEBHOOK_URL="https://chat.example.com/hook").channels_off == {}


def _start(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    script = "import main; main.resources()"
    arguments = ["main.py"] if variables.pop("serve", "") else ["-c", script]
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**kept, "DATA_DIR": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_start_warns_of_a_channel_that_is_off(tmp_path: Path) -> None:
    address = "https://acme.webhook.office.com/webhookb2/hush"
    done = _start(tmp_path, TEAMS_WEBHOOK_URL=address)

    assert done.returncode == 0, done.stderr
    assert "TEAMS_WEBHOOK_URL" in done.stderr + done.stdout
    assert "hush" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "hush"), ("LOG_FILE", "/dev/null/hush.log"), ("RATE_LIMIT_STORAGE_URL", "x://hush")],
)
def test_a_bad_setting_stops_the_start_with_one_line(tmp_path: Path, name: str, value: str) -> None:
    done = _start(tmp_path, serve="yes", **{name: value})

    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith(name)
    assert "hush" not in done.stderr and "Traceback" not in done.stderr
