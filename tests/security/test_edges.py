"""Odd ids, paths, headers, addresses and formulas."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.shop import Shop, bearer, shop

IDS = (
    *("0", "-1", "1e3", "٣", "1.0", "0x1", "+1", " 1", "1 ", "00000000001", "9" * 19, "9" * 400),
    *(str(2**31), str(2**63 - 1), str(2**63), str(-(2**63)), "NaN", "null", "true", "[]"),
    *("..", "%2e%2e", "a\x00b", "\udc80", "😀", "a'b", 'a"b', "a;b", "a/b", "<script>", "{}"),
    *("a" * 255, "a" * 256, "sess_", "sess_" + "a" * 32, "%s%n", "\r\nX: y", "\u202e", "*", "%"),
)
PLACES = (
    *("/api/lead/summary/{}", "/api/score/{}", "/api/lead/export/{}", "/api/leads/{}"),
    *("/docs/{}", "/api/questions?session_id={}", "/api/product-menu?session_id={}"),
    *("/api/leads?cursor={}", "/api/leads?q={}", "/api/leads?limit={}", "/api/leads?from={}"),
    *("/api/leads?sort={}", "/api/leads?min_score={}", "/api/analytics/leads?tz={}"),
)
PATHS = (
    *("//api/leads", "/api//leads", "/api/leads/", "/API/leads", "/api/leads;x", "/api/./leads"),
    *(
        "/api/x/../leads",
        "/api/%2e%2e/api/leads",
        "/api/leads%2f1",
        "/api/leads%00",
        "/api%2fleads",
    ),
    *("/api/leads/1/..", "/api/leads.json", "/api\\leads", "/api/leads%20", "/%61pi/lead", "/api"),
)
FORMULAS = (
    *("=1+1", "+1+1", "-1+1", "@SUM(A1)", "|cmd", "%0A=1", "\t=1", "\r=1", "\n=1", " =1", "  @x"),
    *('"=1', "'=1", "＝1+1", "＋1", "－1", "＠x", "\u200b=1", "\ufeff=1", "\u00a0=1"),
    *("=cmd|' /C calc'!A0", '=HYPERLINK("http://e.example.com";"x")', ";=1", ",=1"),
)
STARTS = tuple("=+-@|%\t\r\n＝＋－＠")


def test_odd_ids_are_refused_in_our_shape(ours: Shop) -> None:
    client = ours.app.test_client()
    headers = bearer(ours.new_key("admin"))
    for place in PLACES:
        for odd in IDS:
            path = place.format(quote(odd, safe="", errors="surrogatepass"))
            reply = client.get(path, headers=headers)
            assert reply.status_code < 500, path
            if reply.status_code >= 400:
                assert set(reply.json) == {"error"} or path.startswith("/docs"), path
    for odd in IDS:
        path = f"/api/leads/{quote(odd, safe='', errors='surrogatepass')}"
        for method in ("PATCH", "DELETE"):
            assert client.open(path, method=method, json={}, headers=headers).status_code < 500
        path = path.replace("leads", "ab-test/variant", 1)
        assert client.post(path, json={"session_id": "sess_x"}).status_code < 500


def test_no_other_spelling_of_a_path_gets_around_the_key(small: Shop) -> None:
    small.start()
    client = small.app.test_client()
    for path in PATHS:
        reply = client.get(path)
        assert reply.status_code in (301, 308, 401, 404, 405), path
        assert "leads" not in (reply.get_json(silent=True) or {}), path
    for name in ("X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-Forwarded-Path"):
        reply = client.get("/health", headers={name: "/api/leads"})
        assert reply.json["status"] == "healthy"
        assert client.post("/api/leads", json={}, headers={name: "GET"}).status_code == 401


@pytest.mark.parametrize(
    "name",
    ["X-Request-Id", "X-Visitor-Token", "Authorization", "Idempotency-Key", "User-Agent", "Cookie"],
)
@pytest.mark.parametrize("value", ["x" * 60_000, "ÿþ" * 50, "a b\tc", "", "Bearer " + "y" * 9000])
def test_huge_and_strange_headers_do_no_harm(small: Shop, name: str, value: str) -> None:
    client = small.app.test_client()
    session = small.start()["session_id"]
    headers = {name: value.encode("latin-1").decode("latin-1")}
    body = {"session_id": session, "action": "website_visit"}
    for reply in (
        client.get(f"/api/lead/summary/{session}", headers=headers),
        client.post("/api/behavior", json=body, headers=headers),
        client.get("/api/leads", headers=headers),
    ):
        assert reply.status_code < 500
        assert len(reply.headers["X-Request-Id"]) <= 64


def test_no_cell_of_an_export_begins_a_formula(small: Shop) -> None:
    client = small.app.test_client()
    headers = bearer(small.new_key("admin"))
    for payload in FORMULAS:
        session = small.start(utm_source=payload)["session_id"]
        data = {"name": payload, "location": payload, "business_type": payload, "mine": payload}
        data["features_interested"] = [payload]  # type: ignore[assignment]
        body = {"session_id": session, "profile_data": data}
        assert client.post("/api/lead/profile", json=body).status_code == 200, payload
        text = client.get(f"/api/lead/export/{session}?format=csv", headers=headers).text
        for row in csv.reader(io.StringIO(text)):
            for cell in row:
                bare = cell.lstrip(" \"'\u200b\ufeff\u00a0")
                assert not bare.startswith(STARTS) or cell.startswith("'"), (payload, cell)
        card = client.get(f"/api/lead/export/{session}?format=vcard", headers=headers).text
        assert card.count("BEGIN:VCARD") == card.count("END:VCARD") == 1


@pytest.mark.parametrize("proxies", [0, 1])
@pytest.mark.parametrize(
    "forged", ["198.51.100.{}", "198.51.100.{}, 10.0.0.1", "::{}", "x{}", "{}"]
)
def test_nobody_escapes_the_limit_by_naming_another_address(
    sqlite_url: str, tmp_path: Path, proxies: int, forged: str
) -> None:
    with shop(sqlite_url, tmp_path, RATE_LIMIT_PER_MINUTE=1, TRUSTED_PROXIES=proxies) as here:
        client = here.app.test_client()
        statuses = []
        for number in range(20):
            # What a visitor claims; the trusted proxy, if any, adds where it came from.
            told = forged.format(number)
            chain = f"{told}, 203.0.113.9" if proxies else told
            headers = {"X-Forwarded-For": chain, "X-Real-IP": told, "Forwarded": f"for={told}"}
            statuses.append(client.get("/api/questions", headers=headers).status_code)

    assert statuses.count(200) == 10
    assert statuses.count(429) == 10


def test_a_trusted_proxy_tells_visitors_apart(sqlite_url: str, tmp_path: Path) -> None:
    with shop(sqlite_url, tmp_path, RATE_LIMIT_PER_MINUTE=1, TRUSTED_PROXIES=1) as here:
        client = here.app.test_client()
        for number in range(30):
            headers = {"X-Forwarded-For": f"203.0.113.{number}"}
            assert client.get("/api/questions", headers=headers).status_code == 200
