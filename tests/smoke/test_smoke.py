"""Is a deployed server well? Looks at it from outside, as its users do; run by ``python -m pytest tests/smoke``.

``COMBINE_SMOKE_URL``, ``COMBINE_SMOKE_TOKEN`` (scope run) and, if it is not this version, ``COMBINE_SMOKE_VERSION``
name the server. It makes one project with one execution there, offline, and leaves them.
"""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

BRIEF = """# A list for the tool library

Members want to see which tools are free and reserve one for a day. Today a paper book lies in the shop.
The shop lends about 40 tools a week. Members sign in with their e-mail address. It must work on a telephone.
It must be ready by 1 March 2027. The budget is 3,000 euros. Nobody sees who has borrowed what, except the shop.
"""
TYPES = ["project-discovery", "requirements-doc", "architecture-doc", "strategy-review"]
WAY_IN = re.compile(r'href="(/login/[a-z0-9-]+)\?')


def test_it_is_alive_ready_and_of_the_right_version(target):
    with target.browser() as browser:
        assert browser.get("/health").json() == {"status": "alive"}
        assert browser.get("/health/ready").json() == {"status": "ready"}
        assert browser.get("/version").json() == {"version": target.version}


def test_who_is_nobody_is_led_to_the_page_for_signing_in(target):
    with target.browser() as browser:
        home = browser.get("/")
        assert (home.status_code, urlsplit(home.headers["location"]).path) == (303, "/login")
        assert browser.get("/login").status_code == 200
        assert browser.get("/api/v1/me").status_code == 401


def test_the_page_for_signing_in_leads_to_each_provider(target):
    with target.browser() as browser:
        page = browser.get("/login")
        ways = WAY_IN.findall(page.text)
        if not ways:
            assert "local mode" in page.text
        for way in ways:
            leads_to_the_provider(browser.get(way), way)


def leads_to_the_provider(answer, way):
    """With PKCE, state and nonce, and back to where we came from."""
    assert answer.status_code == 303, answer.text
    there = urlsplit(answer.headers["location"])
    asked = {name: values[0] for name, values in parse_qs(there.query).items()}
    assert there.scheme == "https" or there.hostname in {"127.0.0.1", "localhost"}
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", asked["code_challenge"])
    assert len(asked["state"]) >= 32
    assert len(asked["nonce"]) >= 32
    assert "openid" in asked["scope"].split()
    assert urlsplit(asked["redirect_uri"]).path == f"{way}/callback"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert ("secure" in cookie) == asked["redirect_uri"].startswith("https:")


def test_nobody_comes_in_with_a_made_up_link_or_answer(target):
    with target.browser() as browser:
        assert browser.get("/login/local", params={"key": "made-up"}).status_code == 403
        for way in WAY_IN.findall(browser.get("/login").text):
            back = browser.get(f"{way}/callback", params={"code": "made-up", "state": "made-up"})
            assert back.status_code in {400, 401, 403, 409, 422}
        assert browser.get("/").status_code == 303


def test_signing_out_ends_the_session(target):
    with target.browser() as browser:
        if target.one_time_link:
            assert browser.get(target.one_time_link).status_code == 303
            assert "signed in" in browser.get("/").text
        out = browser.post("/logout", headers={"Sec-Fetch-Site": "same-origin"})
        assert (out.status_code, "Signed out" in out.text) == (200, True)
        assert "max-age=0" in out.headers["set-cookie"].lower()
        assert browser.get("/").status_code == 303


@pytest.fixture(scope="module")
def execution(api):
    """Started offline with the token."""
    project = api.post("/projects", json={"name": f"smoke test {uuid4()}"})
    assert project.status_code == 201, project.text
    body = {"project_id": project.json()["id"], "brief": BRIEF, "model": "offline", "ask": False}
    started = api.post("/executions", json=body, headers={"Idempotency-Key": str(uuid4())})
    assert started.status_code == 201, started.text
    return started.json()["execution"]["id"]


def test_events_come_one_after_the_other_to_the_end(api, execution):
    numbers, end = [], None
    with api.stream("GET", f"/executions/{execution}/events", timeout=60) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for message in messages(stream):
            if message.get("event") == "end":
                end = json.loads(message["data"])
            elif "id" in message:
                numbers.append(int(message["id"]))
    assert end == {"status": "completed"}
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 4


def messages(stream):
    """The fields of each message."""
    fields = {}
    for line in stream.iter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        else:
            yield fields
            fields = {}


def test_its_four_documents_come_in_every_form(api, execution):
    with api.stream("GET", f"/executions/{execution}/events", timeout=60) as stream:
        stream.read()  # the end
    found = api.get(f"/executions/{execution}").json()
    assert found["execution"]["status"] == "completed", found["execution"]
    assert [document["type"] for document in found["documents"]] == TYPES
    for document in found["documents"]:
        comes_in_every_form(api, document)


def comes_in_every_form(api, document):
    """Stored, for reading, and as a page."""
    where = f"/documents/{document['id']}"
    whole = api.get(where)
    stored = api.get(f"{where}/export", params={"format": "json"})
    assert stored.json() == whole.json()["content"]
    assert api.get(f"{where}/export", params={"format": "md"}).text.startswith("# ")
    assert "<h1" in api.get(f"{where}/export", params={"format": "html"}).text
    assert api.get(where, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
