"""Whether it lives, what it counts, and the description of the whole API."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import flask_swagger_ui
from flask import Flask, Response, current_app, send_from_directory
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from lib.clock import iso
from web.auth import guard_metrics
from web.endpoints import Api
from web.unit_of_work import find_queue, is_database_there, resources

OURS = Path(__file__).resolve().parent.parent / "static" / "docs"
# Only these of the package: the rest are pages of its own with inline script.
SWAGGER_FILES = frozenset({"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"})
SWAGGER = Path(flask_swagger_ui.__file__).resolve().parent / "dist"
OUR_FILES = frozenset({"start.js", "page.css"})
# Nothing due waits this long (seconds) unless no relay runs, or none can keep up.
STUCK_AFTER = 600
GAUGES = {
    "deliveries_waiting": "Deliveries that are due and not sent.",
    "oldest_delivery_seconds": "How long the oldest of them has been due.",
    "facts_waiting": "Facts of which somebody must still hear.",
    "oldest_fact_seconds": "How long the oldest of them has waited.",
    "jobs_waiting": "Jobs that are due and that nobody has begun.",
    "destinations_stopped": "Destinations that take nothing until somebody mends them.",
}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Leadline API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="stylesheet" href="/docs/page.css">
</head>
<body>
<main>
<div id="swagger-ui"></div>
<section id="operations">
<h1>Leadline API</h1>
<p>The full description is <a href="/api/openapi.json">an OpenAPI document</a>.</p>
<table>
<thead>
<tr><th scope="col">Method</th><th scope="col">Path</th><th scope="col">What it does</th></tr>
</thead>
<tbody>
{rows}
</tbody>
</table>
</section>
</main>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""

api = Api("operation", __name__, description="Health, counts and this description.")


@api.route("/health")
@api.doc(
    summary="Whether the server and its database can serve.",
    security=[{}],
    responses={200: {"description": "Healthy."}, 503: {"description": "The database is away."}},
)
def health() -> ResponseReturnValue:
    """Whether the server and its database can serve."""
    there = is_database_there()
    said: dict[str, Any] = {
        "status": "healthy" if there else "unhealthy",
        "database": "connected" if there else "unavailable",
        "timestamp": iso(resources().clock.now()),
    }
    if there and (queue := find_queue()) is not None:
        oldest = max(queue["oldest_delivery_seconds"], queue["oldest_fact_seconds"])
        said["queue"] = {**queue, "stuck": oldest > STUCK_AFTER}
    return (said, 200) if there else (said, 503, {"Retry-After": "1"})


@api.route("/metrics")
@api.doc(
    summary="Counts for Prometheus; never a name.",
    security=[{}, {"apiKey": []}],
    responses={200: {"description": "Prometheus text format."}},
)
def metrics() -> ResponseReturnValue:
    """Counts for Prometheus; never a name."""
    guard_metrics()
    counted, queue = resources().metrics, find_queue() or {}
    gauges = {name: (GAUGES[name], value) for name, value in queue.items() if name in GAUGES}
    return Response(counted.render(gauges), content_type=counted.content_type)


@api.route("/api/openapi.json")
@api.doc(
    summary="The OpenAPI description of this API.",
    security=[{}],
    responses={200: {"description": "An OpenAPI 3.1 document."}},
)
def openapi() -> ResponseReturnValue:
    """The OpenAPI description of this API."""
    return Response(_document_text(current_app), mimetype="application/json")


# The page about the API is no part of the API: plain routes, so that they are not described.
def register_docs(app: Flask) -> None:
    """Adds the page that shows the description and lets one try it."""
    app.add_url_rule("/docs", "docs", _docs_page)
    app.add_url_rule("/docs/<name>", "docs_file", _docs_file)


def _docs_page() -> ResponseReturnValue:
    return Response(PAGE.format(rows="\n".join(_rows(current_app))), mimetype="text/html")


def _docs_file(name: str) -> ResponseReturnValue:
    if name in OUR_FILES:
        return send_from_directory(OURS, name, max_age=3600)
    if name in SWAGGER_FILES:
        return send_from_directory(SWAGGER, name, max_age=3600)
    raise NotFound()


def _rows(app: Flask) -> list[str]:
    """Each operation as a row of the table, in the order of the document."""
    paths: dict[str, dict[str, Any]] = _document(app)["paths"]
    return [
        f"<tr><td>{escape(method.upper())}</td><td><code>{escape(path)}</code></td>"
        f"<td>{escape(str(operation.get('summary', '')))}</td></tr>"
        for path, operations in paths.items()
        for method, operation in operations.items()
        if isinstance(operation, dict)
    ]


def _document(app: Flask) -> dict[str, Any]:
    """The description; made once, for it cannot change while the process lives."""
    kept = app.extensions.get("leadline.openapi")
    if kept is None:
        kept = app.extensions["leadline.documentation"].spec.to_dict()
        app.extensions["leadline.openapi"] = kept
    document: dict[str, Any] = kept
    return document


def _document_text(app: Flask) -> str:
    return app.json.dumps(_document(app))
