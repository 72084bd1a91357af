"""What of a lead's names, addresses and numbers the person who looks may see."""

from __future__ import annotations

from collections.abc import Callable

from engine.policy import Permission
from lib.text import mask_email, mask_name, mask_phone
from web.console.frame import me


def sees_personal() -> bool:
    """Whether this person sees names, addresses, numbers and typed answers as they are."""
    return me().may(Permission.LEADS_PERSONAL)


def label(name: str | None, lead_id: int, instead: str | None = None) -> str:
    """What a lead is called: its name, else what stands `instead` of one, else its number.

    Masked it is `J. #12`: many names begin with one letter, and the number is always the same.
    """
    if sees_personal():
        return name or instead or f"Lead {lead_id}"
    return f"{mask_name(name)} #{lead_id}" if name else f"Lead {lead_id}"


def email(text: str | None) -> str | None:
    """An address, or its initials: `j***@e***.com`"""
    return _shown(text, mask_email)


def phone(text: str | None) -> str | None:
    """A number, or its last two digits."""
    return _shown(text, mask_phone)


def typed(text: str | None) -> str | None:
    """What a visitor or a colleague typed about a lead; None for who may not read it."""
    return text if sees_personal() else None


def _shown(text: str | None, mask: Callable[[str], str]) -> str | None:
    return text if text is None or sees_personal() else mask(text)
