"""What alerts, channels and deliveries are called in the console."""

from __future__ import annotations

from engine.vocabulary import ChannelName, DeliveryStatus, Profile, Trigger

TRIGGERS: dict[str, str] = {
    Trigger.BECAME_SQL: "A lead became sales qualified",
    Trigger.BECAME_HOT: "A lead became hot",
    Trigger.DEMO_REQUESTED: "Somebody asked for a demo",
    Trigger.CONTACT_SHARED: "Somebody left a contact",
    Trigger.JOURNEY_COMPLETED: "Somebody answered everything",
    Trigger.LEAD_ASSIGNED: "A lead got an owner",
    Trigger.FOLLOW_UP_DUE: "A follow-up is due",
    Trigger.DEAL_WON: "A deal was won",
    Trigger.MODEL_PROMOTED: "A new model is in service",
    Trigger.MODEL_RETURNED: "An earlier model is back in service",
}
CHANNELS: dict[str, tuple[str, str]] = {
    ChannelName.EMAIL: ("E-mail", "sales@example.com"),
    ChannelName.SLACK: ("Slack", "https://hooks.slack.com/services/…"),
    ChannelName.DISCORD: ("Discord", "https://discord.com/api/webhooks/…"),
    ChannelName.TEAMS: ("Microsoft Teams", "the address that a Teams workflow gives"),
    ChannelName.WEBHOOK: ("Webhook, signed", "https://your-program.example/leads"),
    ChannelName.OTHER: ("Another service (Apprise address)", "ntfy://…"),
}
PROFILES: dict[str, str] = {
    Profile.CORE_POINTS: "Points of the conversation",
    Profile.CRM_RULES: "CRM rules (0 to 100)",
    Profile.ENGAGEMENT_WEIGHTED: "Engagement (0 to 100)",
    Profile.ML_PROBABILITY: "Probability of the model (0 to 100)",
}
# What a status means, and how it is coloured.
STATUSES: dict[str, tuple[str, str]] = {
    DeliveryStatus.PENDING: ("waiting", ""),
    DeliveryStatus.SENDING: ("being sent", "accent"),
    DeliveryStatus.DELIVERED: ("delivered", "good"),
    DeliveryStatus.RETRY: ("will be tried again", "warn"),
    DeliveryStatus.UNKNOWN: ("perhaps delivered, will be tried again", "warn"),
    DeliveryStatus.DEAD: ("given up", "bad"),
    DeliveryStatus.HELD: ("held", ""),
}
CADENCES = (
    ("", "At once"),
    ("hourly", "Gathered, once an hour"),
    ("daily", "Gathered, once a day"),
)


def trigger_name(name: str) -> str:
    """What a trigger is called; its own word for one that has no name here."""
    return TRIGGERS.get(name, name.replace("_", " ").capitalize())
