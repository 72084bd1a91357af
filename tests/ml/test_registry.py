"""A model as bytes: it comes back the same, and what is not ours is refused."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable

import numpy as np
import pytest
import skops.io as sio
from sklearn.linear_model import LogisticRegression

from errors import Invalid
from ml.predict import Model
from ml.registry import LARGEST, pack, unpack
from ml.train import train
from tests.ml.conftest import Leads


@pytest.fixture(scope="module")
def model(leads: Callable[..., Leads]) -> Model:
    """A small model."""
    known = leads(150)
    return train(known.frame, known.won)


def sha(data: bytes) -> str:
    """The checksum of bytes."""
    return hashlib.sha256(data).hexdigest()


def test_a_model_comes_back_the_same(model: Model, leads: Callable[..., Leads]) -> None:
    artifact = pack(model)
    new = leads(50, seed=4)

    again = unpack(artifact.data, artifact.sha256, model_id="m_7")

    record = {name: values[0] for name, values in new.frame.items()}
    assert (again.probabilities(new.frame) == model.probabilities(new.frame)).all()
    assert again.explain(record) == {**model.explain(record), "model": "m_7"}
    assert json.loads(json.dumps(artifact.card)) == artifact.card


def test_the_fallback_can_be_kept_too() -> None:
    rules = train({"points": [10, 60]}, np.array([0, 1]))
    artifact = pack(rules)

    again = unpack(artifact.data, artifact.sha256)

    assert again.explain({"points": 40}) == rules.explain({"points": 40})


def test_one_changed_bit_is_refused(model: Model) -> None:
    artifact = pack(model)
    bent = bytearray(artifact.data)
    bent[len(bent) // 2] ^= 1

    with pytest.raises(Invalid, match="checksum"):
        unpack(bytes(bent), artifact.sha256)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 not really",
        pickle.dumps({"format": "leadline-model-1"}),
        sio.dumps({"format": "another"}),
        sio.dumps([1, 2, 3]),
        sio.dumps({"format": "leadline-model-1", "about": "{}", "tables": {}, "bands": {}}),
    ],
)
def test_what_is_not_a_model_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid, match="The model file is refused"):
        unpack(data, sha(data))


class Foreign:
    """A type that no model of ours holds."""


@pytest.mark.parametrize("strange", [LogisticRegression(), np.random.default_rng(0)])
def test_an_estimator_is_no_model_of_ours(strange: object) -> None:
    data = sio.dumps({"format": "leadline-model-1", "about": "{}", "tables": strange})

    with pytest.raises(Invalid, match="refused"):
        unpack(data, sha(data))


def test_a_file_with_types_of_its_own_is_refused_before_it_is_read() -> None:
    data = sio.dumps({"format": "leadline-model-1", "tables": Foreign()})

    with pytest.raises(Invalid, match="what a model never does .*Foreign"):
        unpack(data, sha(data))


def test_an_archive_that_unfolds_beyond_any_model_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"0" * (LARGEST + 1))

    with pytest.raises(Invalid, match="larger than a model"):
        unpack(stream.getvalue(), sha(stream.getvalue()))
