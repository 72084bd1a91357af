"""The audit log in words: what an entry says to somebody who reads it, and of which kind it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# By the first part of an action's name.
KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "leads": (
        "Leads",
        ("lead", "leads", "activity", "follow_up", "outcome", "view", "calendar_feed"),
    ),
    "imports": ("Imports", ("import",)),
    "workflow": ("Workflow", ("workflow",)),
    "experiments": ("Experiments", ("experiment", "experiments")),
    "models": ("Models", ("model", "models")),
    "campaigns": ("Campaigns", ("campaign",)),
    "alerts": ("Alerts and deliveries", ("alerts", "destination", "delivery")),
    "people": ("People and sign-ins", ("person", "session")),
    "keys": ("API keys", ("key",)),
    "settings": ("Settings and retention", ("settings", "retention")),
}
# Who acts besides people and keys, by what the log calls them.
ACTORS: Mapping[str, str] = {
    "command line": "Somebody at the command line",
    "schedule": "The clock",
    "clock": "The clock",
    "sign-in page": "Somebody at the door",
    "loopback": "Somebody on this machine",
    "the program": "Leadline",
    "relay": "Leadline",
    "start": "Leadline",
}
# {on} is what was changed; {name} a part of the detail, {name|word} with a word where it is empty.
SENTENCES: Mapping[str, str] = {
    "activity.logged": "logged a {kind} with {on}",
    "alerts.configured": "changed the rules of all alerts",
    "calendar_feed.made": "made an address for their own calendar",
    "calendar_feed.revoked": "revoked an address of their own calendar",
    "campaign.archived": "archived the campaign {name|a campaign}",
    "campaign.created": "made the campaign {name}",
    "campaign.edited": "changed the campaign {name}",
    "campaign.taken_back": "put the campaign {name} to work again",
    "delivery.resent": "sent a message again",
    "destination.added": "added a place that hears of leads, by {channel|some channel}",
    "destination.changed": "changed a place that hears of leads",
    "destination.removed": "took away a place that heard of leads",
    "destination.tested": "sent a test message",
    "experiment.arm_stopped": "stopped arm {arm} of the experiment {on}",
    "experiment.created": "drafted the experiment {on}",
    "experiment.decided": "decided the experiment {on}: arm {arm}",
    "experiment.edited": "changed the experiment {on}",
    "experiment.not_published": "could not publish the winner of the experiment {on}",
    "experiment.paused": "paused the experiment {on}",
    "experiment.published": "published the winner of the experiment {on}",
    "experiment.started": "started the experiment {on}",
    "experiment.stopped": "stopped the experiment {on}",
    "experiments.holdout": "changed how many visitors get no experiment",
    "follow_up.done": "finished a follow-up of {on}",
    "follow_up.invited": "sent themselves an invitation to a follow-up of {on}",
    "follow_up.moved": "moved a follow-up of {on}",
    "follow_up.set": "set a follow-up for {on}",
    "import.forgotten": "put a file of leads away unread",
    "import.published": "imported {imported|0} new leads and updated {updated|0}",
    "import.redone": "brought {imported|the} imported leads back",
    "import.requested": "began to import a file of leads",
    "import.undone": "took back an import of {imported|some} leads",
    "import.uploaded": "uploaded a file of leads",
    "key.created": "made the API key {name}",
    "key.revoked": "revoked the API key {name}",
    "lead.assigned": "gave {on} to {to|nobody}",
    "lead.created": "entered {on}",
    "lead.deleted": "deleted {on}",
    "lead.edited": "edited {on}",
    "lead.erased": "erased the person of {on}",
    "lead.merged": "merged lead {merged} into {on}",
    "lead.parted": "parted {on} and lead {parted} again",
    "lead.recycled": "started {on} anew in {to|a campaign}",
    "lead.restored": "brought {on} back",
    "lead.snoozed": "changed until when {on} rests",
    "lead.staged": "moved {on} to {to}",
    "leads.assign": "gave {changed|many} leads to {to|nobody}",
    "leads.campaign": "put {changed|many} leads into {to|no campaign}",
    "leads.exported": "exported {leads|some} leads as {format}",
    "leads.rescore_asked": "had all leads scored under workflow version {version}",
    "leads.stage": "moved {changed|many} leads to {to|the first stage}",
    "leads.undone": "took back a change of {changed|many} leads",
    "model.promoted": "put {on} in service",
    "models.configured": "changed how models learn",
    "models.training_requested": "had a model trained",
    "outcome.recorded": "recorded {on} as {outcome}",
    "person.changed": "changed the role or share of {on}",
    "person.disabled": "disabled {on}",
    "person.enabled": "let {on} in again",
    "person.exported": "took out everything that is kept of {on}",
    "person.invited": "invited {on} as {role}",
    "person.joined": "came in by an invitation",
    "person.link_asked": "had a link for a new password sent, if there is such an account",
    "person.link_made": "made a link for {on}",
    "person.password_changed": "changed their password",
    "person.password_reset": "chose a new password by a link",
    "person.profile_changed": "changed their profile",
    "person.set_up": "set this Leadline up",
    "person.signed_in": "signed in",
    "person.signed_out": "signed out",
    "retention.ran": "blanked {blanked|0} conversations that led to no contact",
    "retention.stopped": "blanked nothing: {reason|it stopped}",
    "session.ended": "signed another browser of theirs out",
    "session.others_ended": "signed their other browsers out",
    "settings.changed": "changed {on}",
    "view.deleted": "deleted a view of leads",
    "view.renamed": "renamed a view of leads",
    "view.saved": "kept a view of leads",
    "workflow.draft_begun": "began a draft of workflow version {based_on}",
    "workflow.draft_brought_back": "brought {on} of the workflow back",
    "workflow.draft_changed": "changed {part|a part} in {on} of the workflow",
    "workflow.draft_imported": "imported a file as {on} of the workflow",
    "workflow.draft_renamed": "renamed {on} of the workflow",
    "workflow.draft_thrown_away": "threw {on} of the workflow away",
    "workflow.published": "published workflow version {version}",
    "workflow.restored": "put workflow version {of} in force again, as {on}",
    "workflow.tried": "tried {on} of the workflow on past conversations",
}
_SUBJECTS = {
    "pipeline": "the stages of the board",
    "routing": "how new leads are given out",
    "workspace": "the settings of the workspace",
}
_PLACE = re.compile(r"\{(\w+)(?:\|([^}]*))?\}")


def told(
    action: str, subject: str, detail: Mapping[str, Any], names: Mapping[str, str] | None = None
) -> str:
    """What was done, as it goes on after somebody's name; `names` are of people, by what they are
    called in the log."""
    known = names or {}
    template = SENTENCES.get(action)
    if template is None:
        # A word that a later release writes, or an extension.
        return f"{action.replace('.', ' ').replace('_', ' ')}: {subject}"

    def filled(found: re.Match[str]) -> str:
        name, otherwise = found.groups()
        value = subject if name == "on" else detail.get(name)
        if value is None or value == "":
            return otherwise or "…"
        text = str(value)
        return known.get(text) or (_SUBJECTS.get(text, text) if name == "on" else text)

    return _PLACE.sub(filled, template)


def prefixes_of(kind: str) -> tuple[str, ...]:
    """How the actions of a kind begin; none for an unknown kind."""
    return tuple(f"{one}." for one in KINDS[kind][1]) if kind in KINDS else ()
