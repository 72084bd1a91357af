"""What a profile may hold: values checked and brought into their columns, and masked again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.matching import Phone, parse_email, parse_phone, split_choices
from engine.vocabulary import PROFILE_FIELDS, PROTECTED_FIELDS
from errors import Invalid
from lib.text import mask_email, mask_name, mask_phone
from models import Lead

LONGEST_VALUE = 1000
LONGEST_NAME = 64
MOST_ATTRIBUTES = 50
LARGEST_ATTRIBUTES = 16_000
MOST_FEATURES = 50
# Beside what was typed they fill a column of what is compared.
_CONTACTS = ("email", "phone")
# Fields that are more than a text.
CHECKED = frozenset((*_CONTACTS, "features_interested"))


@dataclass
class ProfileChange:
    """A checked change of a profile: columns, custom attributes, and whether a contact is in it."""

    columns: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    contact: bool = False

    @property
    def fields(self) -> list[str]:
        """The known fields that the change names."""
        return [name for name in PROFILE_FIELDS if name in self.columns]


def read_profile(
    data: Mapping[str, Any], *, region: str, allow_test_addresses: bool
) -> ProfileChange:
    """What a caller says of a lead, checked as a whole; Invalid names each field that cannot be.

    An empty text says nothing and changes nothing; null takes a value away.
    """
    change, problems = ProfileChange(), {}
    for name, value in data.items():
        problem = None if name in PROFILE_FIELDS else _problem_of_name(name)
        if problem:
            problems[str(name)[:LONGEST_NAME]] = [problem]
            continue
        if isinstance(value, str) and not value.strip():
            continue
        try:
            read_field(
                change, name, value, region=region, allow_test_addresses=allow_test_addresses
            )
        except ValueError as error:
            problems[name] = [str(error)]
    if change.attributes and len(json.dumps(change.attributes)) > LARGEST_ATTRIBUTES:
        problems["profile_data"] = ["The custom attributes are too large together."]
    if problems:
        unknown = any(name in PROTECTED_FIELDS for name in problems)
        raise Invalid(
            "Some of the profile cannot be kept; nothing was changed.",
            code="unknown_field" if unknown else None,
            fields=problems,
        )
    return change


def _problem_of_name(name: str) -> str | None:
    if name in PROTECTED_FIELDS:
        return "This cannot be set by a visitor."
    if not name.strip() or len(name) > LONGEST_NAME:
        return f"An attribute's name has 1 to {LONGEST_NAME} characters."
    return None


def read_field(
    change: ProfileChange, name: str, value: Any, *, region: str, allow_test_addresses: bool
) -> None:
    """What a caller says in one field, added to the change; ValueError says what it cannot be."""
    if name not in PROFILE_FIELDS:
        change.attributes[name] = _attribute(value)
        return
    if name == "features_interested":
        change.columns[name] = _features(value)
        return
    text = _text(value)
    if name not in _CONTACTS:
        change.columns[name] = text
        return
    email = phone = None
    if name == "email" and text is not None:
        email = parse_email(text, allow_test=allow_test_addresses)
        if email is None:
            raise ValueError("This is no e-mail address.")
    if name == "phone" and text is not None:
        phone = parse_phone(text, region)
        if phone is None:
            raise ValueError("This is no phone number.")
    change.contact = change.contact or bool(email or phone)
    change.columns.update(contact_columns(name, text, email, phone) or {})


def contact_columns(
    name: str, value: Any, email: str | None = None, phone: Phone | None = None
) -> dict[str, Any] | None:
    """The columns that a profile field fills; None for a custom attribute."""
    if name not in PROFILE_FIELDS:
        return None
    if name == "email":
        return {"email": value, "email_key": email.casefold() if email else None}
    if name == "phone":
        return {"phone": value, "phone_e164": phone.e164 if phone else None}
    return {name: value}


def profile_values(lead: Lead) -> dict[str, Any]:
    """A lead's profile as the wire knows it: the known fields, then the custom attributes."""
    known = {name: getattr(lead, name) for name in PROFILE_FIELDS}
    known["features_interested"] = list(lead.features_interested or [])
    # A column of an import may be called "id": beside what the server says it stands nowhere.
    ours = PROTECTED_FIELDS.union(known)
    return {**{k: v for k, v in (lead.attributes or {}).items() if k not in ours}, **known}


def masked_profile(profile: Mapping[str, Any], options: frozenset[str]) -> dict[str, Any]:
    """A profile without the person: contact masked, and only values that are options of ours."""
    masked: dict[str, Any] = {}
    for name, value in profile.items():
        if name == "features_interested":
            masked[name] = [one for one in value if one in options]
        elif value is None or name not in PROFILE_FIELDS:
            masked[name] = None
        else:
            masked[name] = _masked(name, str(value), options)
    return masked


def _masked(name: str, value: str, options: frozenset[str]) -> str | None:
    mask = {"email": mask_email, "phone": mask_phone, "name": mask_name}.get(name)
    if mask:
        return mask(value)
    return value if value in options else None


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("This must be a text.")
    text = str(value).strip()
    if len(text) > LONGEST_VALUE:
        raise ValueError(f"At most {LONGEST_VALUE} characters are kept.")
    return text


def _features(value: Any) -> list[str]:
    if value is None:
        return []
    parts = split_choices(value) if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(one, str) for one in parts):
        raise ValueError("This must be a list of texts.")
    kept = list(dict.fromkeys(one.strip() for one in parts if one.strip()))
    if len(kept) > MOST_FEATURES or any(len(one) > LONGEST_VALUE for one in kept):
        raise ValueError(f"At most {MOST_FEATURES} texts are kept.")
    return kept


def _attribute(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        raise ValueError(f"At most {LONGEST_VALUE} characters are kept.")
    return value
