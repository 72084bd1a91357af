"""A letter to somebody who works here: a few sentences of ours and one link, as plain text."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import format_datetime

from integrations.channels.letter import SEVEN_BIT, Envelope, address_of, header_text, sender_of


def compose_note(subject: str, paragraphs: tuple[str, ...], envelope: Envelope) -> EmailMessage:
    """The letter, ready to be sent; a name in it can be nothing but words."""
    letter = EmailMessage(policy=SEVEN_BIT)
    letter["Subject"] = header_text(subject)
    letter["From"] = sender_of(envelope.sender)
    letter["To"] = [address_of(recipient) for recipient in envelope.recipients]
    letter["Date"] = format_datetime(envelope.sent_at)
    letter["Message-ID"] = envelope.message_id
    # Robots shall not answer.
    letter["Auto-Submitted"] = "auto-generated"
    letter["X-Auto-Response-Suppress"] = "All"
    letter.set_content("\n\n".join(paragraphs) + "\n")
    return letter
