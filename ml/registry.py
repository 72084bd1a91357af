"""Models as bytes and back: plain arrays only, by skops, checked before anything is read."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import skops.io as sio  # type: ignore[import-untyped]

from errors import Invalid
from ml.features import Encoding
from ml.forest import Forest
from ml.intervals import Bands
from ml.predict import Model
from ml.tables import Tables

# A file of ours holds numbers and texts, so no type beyond skops' own defaults may be in it.
ALLOWED: tuple[str, ...] = ()
FORMAT = "leadline-model-1"
LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True)
class Artifact:
    """A model as it is kept: its bytes, their SHA-256, and its card as plain data."""

    data: bytes
    sha256: str
    card: dict[str, Any]


def pack(model: Model) -> Artifact:
    """The model as an artifact."""
    about = {
        "encoding": model.encoding.plain(),
        "label": model.label,
        "rate": model.rate,
        "card": dict(model.card),
    }
    content = {
        "format": FORMAT,
        "about": json.dumps(about, sort_keys=True),
        _place(model): {name: np.asarray(value) for name, value in model.tables.plain().items()},
        "bands": model.bands.plain(),
    }
    data = sio.dumps(content, compression=zipfile.ZIP_DEFLATED, compresslevel=6)
    return Artifact(data, hashlib.sha256(data).hexdigest(), dict(model.card))


def unpack(data: bytes, sha256: str, *, model_id: str | None = None) -> Model:
    """The model from its bytes; refused if they are others than were written, or not ours."""
    if not hmac.compare_digest(hashlib.sha256(data).hexdigest(), sha256.lower()):
        raise _refused("its checksum is not the one that was written down")
    _check_size(data)
    try:
        strange = set(sio.get_untrusted_types(data=data)) - set(ALLOWED)
        if strange:
            raise _refused(f"it holds what a model never does ({', '.join(sorted(strange))})")
        content = sio.loads(data, trusted=list(ALLOWED))
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise _refused("it is not of our format")
        return _rebuilt(content, model_id)
    except Invalid:
        raise
    except Exception as error:
        # Whatever a foreign file makes the reader stumble over, it is the same to us.
        raise _refused(f"it cannot be read ({type(error).__name__})") from None


def _rebuilt(content: dict[str, Any], model_id: str | None) -> Model:
    about = json.loads(content["about"])
    return Model(
        encoding=Encoding.from_plain(about["encoding"]),
        tables=_tables(content),
        bands=Bands.from_plain(content["bands"]),
        label=about["label"],
        rate=about["rate"],
        card=about["card"],
        id=model_id,
    )


def _place(model: Model) -> str:
    return "forest" if isinstance(model.tables, Forest) else "tables"


def _tables(content: dict[str, Any]) -> Tables | Forest:
    if "forest" in content:
        return Forest.from_plain(content["forest"])
    arrays = dict(content["tables"])
    arrays["base"] = float(arrays["base"])
    return Tables.from_plain(arrays)


def _check_size(data: bytes) -> None:
    """Refuse what is no archive, or one that would unpack to more than any model of ours."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            whole = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile:
        raise _refused("it is no archive") from None
    if whole > LARGEST:
        raise _refused("it is larger than a model can be")


def _refused(why: str) -> Invalid:
    return Invalid(f"The model file is refused: {why}.", code="model_refused")
