"""Tests of engine.alert_settings: what people may change, and what is said of what they may not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.alert_settings import AlertSettings, AlertSettingsInvalid, read_settings
from engine.quiet_hours import QuietHours
from engine.vocabulary import Profile, Trigger

NIGHT = {"start": "22:00", "end": "07:00", "tz": "UTC", "days": ["fri"]}


def refused(raw: dict[str, Any], **known: Any) -> dict[str, list[str]]:
    """What is said of settings that cannot be."""
    with pytest.raises(AlertSettingsInvalid) as caught:
        read_settings(raw, **known)
    return caught.value.fields


def test_shipped_settings_hear_all_and_hold_what_has_no_contact():
    assert AlertSettings().to_plain() == {
        "queue_profile": "core_points",
        "hot_threshold": None,
        "warm_threshold": None,
        "sql_requires_contact": True,
        "enable_slack": True,
        "enable_discord": True,
        "enable_teams": True,
        "enable_email": True,
        "triggers": {
            "became_sql": True,
            "became_hot": True,
            "demo_requested": True,
            "contact_shared": True,
            "journey_completed": True,
            "lead_assigned": True,
            "follow_up_due": True,
            "deal_won": True,
            "model_promoted": True,
            "model_returned": True,
        },
        "quiet_hours": None,
    }


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("queue_profile", "crm_rules", Profile.CRM_RULES),
        ("hot_threshold", 80, 80.0),
        ("hot_threshold", 1000, 1000.0),
        ("hot_threshold", None, None),
        ("warm_threshold", 0, 0.0),
        ("warm_threshold", 20.5, 20.5),
        ("sql_requires_contact", False, False),
        ("enable_slack", False, False),
        ("enable_discord", False, False),
        ("enable_teams", False, False),
        ("enable_email", False, False),
        ("quiet_hours", NIGHT, QuietHours("22:00", "07:00", "UTC", ("fri",))),
        ("quiet_hours", None, None),
    ],
)
def test_a_field_that_is_named_changes_and_no_other(name: str, value: Any, kept: Any):
    before = AlertSettings(enable_email=True, quiet_hours=QuietHours("01:00", "02:00"))

    after = read_settings({name: value}, before)

    assert getattr(after, name) == kept
    plain = {**before.to_plain(), name: after.to_plain()[name]}
    assert after.to_plain() == plain


def test_a_trigger_that_is_not_named_stays_as_it_is():
    before = read_settings({"triggers": {"became_hot": False}})

    after = read_settings({"triggers": {"deal_won": False}}, before)

    assert {name for name, is_on in after.triggers.items() if not is_on} == {
        "became_hot",
        "deal_won",
    }
    assert list(after.to_plain()["triggers"]) == [str(trigger) for trigger in Trigger]


def test_quiet_hours_take_the_zone_of_the_workspace():
    settings = read_settings({"quiet_hours": {"start": "22:00", "end": "07:00"}}, tz="Asia/Tokyo")

    assert settings.quiet_hours == QuietHours("22:00", "07:00", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("queue_profile", "best", "known are core_points, crm_rules"),
        ("queue_profile", None, "no such profile"),
        ("queue_profile", ["crm_rules"], "no such profile"),
        ("hot_threshold", "80", "number from 0 to 1000"),
        ("hot_threshold", True, "number"),
        ("hot_threshold", -1, "number"),
        ("hot_threshold", 1000.5, "number"),
        ("hot_threshold", float("nan"), "number"),
        ("warm_threshold", 10**400, "number"),
        ("sql_requires_contact", 1, "true or false"),
        ("enable_slack", "yes", "true or false"),
        ("enable_email", None, "true or false"),
        ("triggers", None, "object such as"),
        ("triggers", ["became_hot"], "object such as"),
        ("triggers", {"became_rich": True}, "no trigger became_rich; known are became_sql"),
        ("triggers", {"became_hot": "on"}, "became_hot must be true or false"),
        ("quiet_hours", "always", "quiet hours"),
        ("quiet_hours", {"start": "22:00", "end": "25:00"}, "end of quiet hours"),
        ("enable_fax", True, "no such setting; known are queue_profile, hot_threshold"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(name: str, value: Any, word: str):
    said = refused({name: value, "enable_teams": False})

    assert list(said) == [name]
    assert word in said[name][0] and len(said[name][0]) < 300


def test_everything_that_is_wrong_is_said_at_once():
    said = refused({"enable_slack": 0, "hot_threshold": "x", "nope": 1, "enable_teams": True})

    assert set(said) == {"enable_slack", "hot_threshold", "nope"}
    with pytest.raises(ValueError, match="enable_slack: Must be true or false."):
        read_settings({"enable_slack": 0})


@pytest.mark.parametrize(
    ("stands", "raw", "field"),
    [
        ({}, {"hot_threshold": 40, "warm_threshold": 60}, "hot_threshold"),
        ({}, {"hot_threshold": 60, "warm_threshold": 60}, "hot_threshold"),
        ({}, {"warm_threshold": 75}, "warm_threshold"),
        ({}, {"hot_threshold": 50}, "hot_threshold"),
        ({"hot_threshold": 60.0}, {"warm_threshold": 61}, "warm_threshold"),
        ({"warm_threshold": 70.0}, {"queue_profile": "crm_rules"}, "queue_profile"),
        ({"warm_threshold": 70.0}, {"hot_threshold": 65, "enable_slack": True}, "hot_threshold"),
    ],
)
def test_warm_must_lie_below_hot(stands: dict[str, Any], raw: dict[str, Any], field: str):
    said = refused(raw, stands=AlertSettings(**stands))

    assert list(said) == [field]
    assert "must be below the hot one" in said[field][0]


def test_thresholds_that_stand_crossed_do_not_keep_other_fields_from_changing():
    # The environment can have changed since they were stored.
    before = AlertSettings(hot_threshold=40.0)

    assert read_settings({"enable_slack": False}, before).enable_slack is False


def test_the_thresholds_that_apply_otherwise_count_where_none_is_set():
    def environment(profile: Profile) -> tuple[float, float]:
        return 90.0, 30.0

    assert read_settings({"hot_threshold": 40}, otherwise=environment).hot_threshold == 40
    assert "warm_threshold" in refused({"warm_threshold": 90}, otherwise=environment)


def test_each_threshold_comes_from_elsewhere_where_it_is_not_set():
    assert AlertSettings().tiers((75, 50)) == (75, 50)
    assert AlertSettings(hot_threshold=60.0).tiers((75, 50)) == (60, 50)
    assert AlertSettings(warm_threshold=0.0).tiers((75, 50)) == (75, 0)


def test_what_stands_is_read_whatever_release_wrote_it():
    plain = {
        "queue_profile": "by_the_moon",
        "enable_slack": False,
        "enable_fax": True,
        "hot_threshold": 30,
        "triggers": {"became_hot": False, "became_rich": True},
        "quiet_hours": {"start": "22:00", "end": "07:00", "tz": "Gone/Zone"},
    }

    settings = AlertSettings.from_plain(plain)

    assert settings == AlertSettings(
        enable_slack=False,
        hot_threshold=30.0,
        triggers={**dict.fromkeys(Trigger, True), Trigger.BECAME_HOT: False},
    )
    assert AlertSettings.from_plain({}) == AlertSettings()


SETTINGS = st.builds(
    AlertSettings,
    queue_profile=st.sampled_from(Profile),
    hot_threshold=st.none() | st.floats(0, 1000),
    warm_threshold=st.none() | st.floats(0, 1000),
    sql_requires_contact=st.booleans(),
    enable_slack=st.booleans(),
    enable_email=st.booleans(),
    triggers=st.fixed_dictionaries({trigger: st.booleans() for trigger in Trigger}),
    quiet_hours=st.none() | st.just(QuietHours("22:00", "07:00", "Asia/Kolkata", ("sat", "sun"))),
)


@given(SETTINGS)
def test_settings_come_back_from_json_as_they_were(settings: AlertSettings):
    assert AlertSettings.from_plain(json.loads(json.dumps(settings.to_plain()))) == settings


@given(
    st.dictionaries(
        st.sampled_from([*AlertSettings().to_plain(), "x"]),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["became_sql", "start", "tz", "y"]), inner, max_size=2
            ),
        ),
    )
)
def test_whatever_comes_in_is_read_or_refused_by_name(raw: dict[str, Any]):
    try:
        settings = read_settings(raw)
    except AlertSettingsInvalid as error:
        assert error.fields and set(error.fields) <= set(raw)
        return

    hot, warm = settings.tiers((75, 50))
    assert warm < hot
