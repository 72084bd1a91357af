"""`python -m tests.browser.size`: what a page with the widget fetches, beside what it may weigh."""

from __future__ import annotations

import gzip
import sys

from flask.testing import FlaskClient

from tests.browser.stage import application
from web.widget.files import find_built

LIMIT = 15_000
HEAD = ("what", "when", "bytes", "gzipped", "limit")
# The styles are in the script: there is no third file.
COUNTED = "script and styles: /widget.js"
DATA = (
    ("words and looks: /api/widget/config", "at load", "/api/widget/config?locale=en"),
    ("codes of countries: /widget/countries.json", "for a phone", "/widget/countries.json"),
)


def main() -> int:
    """Prints the table; 0 when script and styles are within the limit."""
    if find_built() is None:
        print("The widget is not built; run `make install`.", file=sys.stderr)
        return 1
    with application() as app:
        visitor = app.test_client()
        plain, packed = _weight(visitor, "/widget.js")
        print(row(*HEAD), f"|{'---|' * len(HEAD)}", sep="\n")
        print(row(COUNTED, "at load", f"{plain:,}", f"{packed:,}", f"{LIMIT:,}"))
        for what, when, path in DATA:
            print(row(what, when, *(f"{size:,}" for size in _weight(visitor, path)), "data"))
    return 0 if packed <= LIMIT else 1


def row(*cells: str) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"


def _weight(visitor: FlaskClient, path: str) -> tuple[int, int]:
    """What the server sends: as it is, and gzipped, by itself or by the proxy before it."""
    plain = visitor.get(path).data
    reply = visitor.get(path, headers={"Accept-Encoding": "gzip"})
    is_packed = reply.headers.get("Content-Encoding") == "gzip"
    return len(plain), len(reply.data if is_packed else gzip.compress(plain, 9, mtime=0))


if __name__ == "__main__":
    sys.exit(main())
