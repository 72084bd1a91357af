"""The workspace's currency and time zone: who changes them, and where they are seen."""

from __future__ import annotations

from tests.console.office import Office, plain

PATH = "/console/workspace"


def test_money_is_shown_in_the_currency_of_the_workspace(ours: Office) -> None:
    lead = ours.enter_lead(campaign="Spring")
    with ours.unit() as services:
        services.campaigns.create({"name": "Spring"}, {}, actor="alice@example.com")
        services.pipeline.record_outcome(lead, "won", value=1250, actor="alice@example.com")
    # The workflow's country is India as long as nobody chose.
    assert "₹1 250" in ours.mark.text("/console/campaigns")

    reply = ours.alice.post(PATH, {"currency": "EUR", "time_zone": "Europe/Berlin"})

    assert reply.status_code == 303
    for page in ("/console/campaigns", "/console/campaigns/1", "/console/dashboard"):
        assert "€1 250" in ours.mark.text(page), page
    assert "€1 250.00" in ours.alice.text(f"/console/leads/{lead}")


def test_who_chose_no_clock_reads_that_of_the_workspace(small: Office) -> None:
    small.alice.post(PATH, {"currency": "INR", "time_zone": "Asia/Kolkata"})

    assert "Asia/Kolkata" in small.mark.text("/console/dashboard")
    assert "Asia/Kolkata, as the workspace" in small.mark.text("/console/profile")
    mark = small.mark
    mark.post("/console/profile", {"name": "Mark", "time_zone": "Europe/Paris"})
    assert "Europe/Paris" in mark.text("/console/dashboard")


def test_what_cannot_be_is_refused_and_only_admins_change_it(small: Office) -> None:
    alice = small.alice
    for form in ({"currency": "XXX"}, {"currency": "EUR", "time_zone": "Mars/Base"}):
        reply = alice.post(PATH, form)
        assert reply.status_code == 422, plain(reply.text)
    assert small.mark.get(PATH).status_code == 403
    assert small.mark.post(PATH, {"currency": "EUR"}).status_code == 403
    assert "Indian rupee" in alice.text(PATH)
