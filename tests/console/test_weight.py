"""What the console's first load weighs: the page, its script, its style and its icons."""

from __future__ import annotations

import gzip
import re

import pytest

from tests.console.office import Office
from web.console.assets import MANIFEST

LIMIT = 200_000
LOADED = re.compile(r'(?:src|href)="(/console/assets/[^"#]+)')


@pytest.mark.skipif(not MANIFEST.exists(), reason="The front end is not built.")
@pytest.mark.parametrize("path", ["/console/now", "/console/leads", "/console/dashboard"])
def test_the_first_load_is_light(small: Office, path: str) -> None:
    page = small.alice.get(path)
    assert page.status_code == 200
    files = set(LOADED.findall(page.text))
    assert len(files) >= 3, "a script, a style, the icons"

    packed = len(gzip.compress(page.data))
    for file in files:
        reply = small.app.test_client().get(file, headers={"Accept-Encoding": "gzip"})
        assert reply.status_code == 200 and "immutable" in reply.headers["Cache-Control"]
        packed += len(reply.data)

    assert packed <= LIMIT, f"{path} and what it loads weigh {packed:,} bytes"
