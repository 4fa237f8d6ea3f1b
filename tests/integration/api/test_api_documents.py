"""Documents as they are exported: unchanged, cached, and as pages without active content."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import bakery
import jsonschema_rs
import psycopg
import pytest
from api_server import api_server, new_database
from api_world import Person, World

from combine.documents.html import render_html
from combine.documents.ordering import content_sha256

D = "/api/v1/documents"
HOSTILE = (
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example.org/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '<a href="javascript:alert(1)" id="top" name="title">click</a>',
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1) 'x')",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "[click](vbscript:x)",
    "![x](https://evil.example.org/pixel.png)",
    "<iframe src=https://evil.example.org></iframe>",
    "<form action=https://evil.example.org><input name=a><button>Go</button></form>",
    "<style>body{background:url(https://evil.example.org)}</style>",
    '<div style="position:fixed" onclick="x()">y</div>',
    "<base href=https://evil.example.org/>",
    "<meta http-equiv=refresh content=0;url=https://evil.example.org>",
    "<link rel=stylesheet href=https://evil.example.org/x.css>",
    "<object data=x></object><embed src=x>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "</title><script>alert(1)</script>",
    "--><script>alert(1)</script><!--",
    "<![CDATA[<script>alert(1)</script>]]>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<https://evil.example.org/?q=<script>>",
    "<details open ontoggle=alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    "{{ 7 * 7 }} ${7*7} {% raw %}",
    "\u202e\u2066reversed",
    "'\"><script>alert(1)</script>",
)
TAGS = {"script", "iframe", "object", "embed", "form", "input", "button", "base", "link", "svg", "math", "img", "video"}


class Page(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@dataclass
class Reader:
    world: World
    client: Any
    person: Person
    project_id: Any

    def get(self, path, headers=None, **params):
        mine = {"Authorization": f"Bearer {self.person.token}"}
        return self.client.get(path, params=params or None, headers={**mine, **(headers or {})})

    def export(self, document_id, form):
        found = self.get(f"{D}/{document_id}/export", format=form)
        assert found.status_code == 200, found.text
        return found


@pytest.fixture(scope="module")
def reader(shared_server_url):
    with new_database(shared_server_url) as url, api_server(url) as server, server.client() as client:
        world = World(server)
        person = world.person("reader")
        project_id = world.project("bakery", {person.id: "owner"})
        world.completed(project_id)
        yield Reader(world, client, person, project_id)


def newest(reader, type_):
    query = "SELECT id, content, content_sha256 FROM documents WHERE project_id = :id AND type = :type ORDER BY version"
    return reader.world.sql(query, id=reader.project_id, type=type_)[-1]


@pytest.mark.parametrize("type_", bakery.TYPES)
def test_json_is_as_stored_and_matches_the_schema(reader, type_):
    stored = newest(reader, type_)
    found = reader.export(stored.id, "json")
    content = json.loads(found.content)
    assert content == stored.content
    assert content_sha256(content) == stored.content_sha256
    schema = reader.get(f"/api/v1/workflows/strategy-document/schemas/{type_}").json()
    jsonschema_rs.validate(schema, content, validate_formats=True, offline=True)


@pytest.mark.parametrize("type_", [*bakery.TYPES, "brief"])
def test_json_is_the_same_byte_by_byte_however_it_is_asked_for(reader, type_):
    stored = newest(reader, type_)
    first = reader.export(stored.id, "json")
    by_type = reader.get(f"{D}/{type_}/export", format="json", project=str(reader.project_id))
    packed = reader.get(f"{D}/{stored.id}/export", {"Accept-Encoding": "gzip"}, format="json")
    plain = reader.get(f"{D}/{stored.id}/export", {"Accept-Encoding": "identity"}, format="json")
    assert first.content == by_type.content == packed.content == plain.content
    shown = reader.get(f"{D}/{stored.id}").json()["content"]
    assert json.dumps(shown, ensure_ascii=False, indent=2) + "\n" == first.text


def test_ambiguous_json_values_are_returned_unchanged(reader):
    content = bakery.document("project-discovery")
    content["summary"] = 'ä \u2028 😀 \\ " \t </script> 1e3 \u0130'
    document_id = reader.world.document(reader.project_id, "project-discovery", content, status="superseded")
    found = json.loads(reader.export(document_id, "json").content)
    assert found == content
    assert list(found) != sorted(found)  # the schema's order, not the database's


@pytest.mark.parametrize("form", ["json", "md", "html"])
def test_a_file_has_a_media_type_and_a_name(reader, form):
    kinds = {"json": "application/json", "md": "text/markdown; charset=utf-8", "html": "text/html; charset=utf-8"}
    stored = newest(reader, "requirements-doc")
    found = reader.export(stored.id, form)
    assert found.headers["content-type"] == kinds[form]
    assert found.headers["content-disposition"] == f'attachment; filename="requirements-doc-1.{form}"'
    assert found.headers["x-document-id"] == str(stored.id)
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["content-security-policy"].startswith("default-src 'none'")


def texts(content):
    """The path to every text of a document except IDs and enumerations."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from ((name, *rest) for rest in texts(value))
    elif isinstance(content, list):
        for place, value in enumerate(content):
            yield from ((place, *rest) for rest in texts(value))
    elif isinstance(content, str) and " " in content:
        yield ()


def poisoned(type_):
    """The document with hostile content in every text, as often as needed to use each of them."""
    ways = list(texts(bakery.document(type_)))
    for begin in range(0, len(HOSTILE), len(ways)):
        content = bakery.document(type_)
        for number, way in enumerate(ways, begin):
            place = content
            for step in way[:-1]:
                place = place[step]
            place[way[-1]] = f"{HOSTILE[number % len(HOSTILE)]} {place[way[-1]]} {HOSTILE[(number + 7) % len(HOSTILE)]}"
        yield content


def acts(html):
    """Active content of a page, and requests to other servers."""
    found = []
    for tag, attributes in Page(html).tags:
        if tag in TAGS or (tag == "meta" and "http-equiv" in attributes and "refresh" in attributes.values()):
            found.append((tag, attributes))
        for name, value in attributes.items():
            if name.startswith("on") or name in {
                "srcdoc",
                "action",
                "formaction",
                "background",
                "ping",
                "srcset",
                "src",
            }:
                found.append((tag, name, value))
            if name == "style" and tag != "col":
                found.append((tag, name, value))
            if name == "href" and urlsplit((value or "").strip()).scheme not in {"", "http", "https", "mailto"}:
                found.append((tag, name, value))
    return found


@pytest.mark.parametrize("type_", bakery.TYPES)
def test_a_page_of_a_hostile_document_does_nothing(reader, type_):
    for content in poisoned(type_):
        document_id = reader.world.document(reader.project_id, type_, content, status="draft")
        html = reader.export(document_id, "html").text
        assert acts(html) == []
        page = Page(html)
        assert "alert(1)" in page.text  # it is there, as text
        assert len([tag for tag, _ in page.tags if tag in {"html", "head", "body", "title"}]) == 4
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        assert "top" not in ids
        assert [one for _, one in page.tags if "name" in one and one["name"] != "viewport"] == []


@pytest.mark.parametrize("text", HOSTILE)
def test_a_page_of_a_hostile_brief_does_nothing(reader, text):
    content = {"text": f"# {text}\n\n{text}\n\n- {text}\n\n> {text}\n\n| a | b |\n|---|---|\n| {text} | x |\n"}
    content |= {"language": "en", "sentences": []}
    document_id = reader.world.document(reader.project_id, "brief", content, status="draft", origin="person")
    assert acts(reader.export(document_id, "html").text) == []


def test_the_name_of_a_project_is_escaped(reader):
    name = '<script>alert("1")</script>'
    found = reader.client.post(
        "/api/v1/projects", json={"name": name}, headers={"Authorization": f"Bearer {reader.person.token}"}
    )
    document_id = reader.world.document(found.json()["id"], "project-discovery")
    html = reader.export(document_id, "html").text
    assert acts(html) == []
    assert name in Page(html).text


def test_the_check_for_hostile_pages_finds_them():
    for text in ("<script>x</script>", "<p onclick=x>", '<a href="javascript:x">', "<img src=x>", "<p style='x'>"):
        assert acts(f"<html><body>{text}</body></html>") != []


TAGGED = (
    f"{D}/{{id}}",
    f"{D}/{{id}}/export?format=json",
    f"{D}/{{id}}/export?format=md",
    f"{D}/{{id}}/export?format=html",
    f"{D}/requirements-doc?project={{project}}",
    "/api/v1/workflows/strategy-document/schemas/requirements-doc",
    "/api/v1/openapi.json",
)


def url_of(reader, path):
    return path.format(id=newest(reader, "architecture-doc").id, project=reader.project_id)


@pytest.mark.parametrize("path", TAGGED)
def test_a_client_that_has_a_document_gets_a_304(reader, path):
    url = url_of(reader, path)
    first = reader.get(url)
    tag = first.headers["etag"]
    same = [tag, f'"other", {tag}', f'{tag} , "other"', "*", tag.removeprefix("W/")]
    for given in same:
        again = reader.get(url, {"If-None-Match": given})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), given
        assert again.headers["cache-control"] == first.headers["cache-control"] == "private, no-cache"
        assert "content-type" not in again.headers
    for given in ("", '"other"', 'W/"other"', tag[:-2] + '"', "x" * 1000):
        assert reader.get(url, {"If-None-Match": given}).status_code == 200, given


def test_each_format_and_version_has_its_own_tag(reader):
    ids = [newest(reader, type_).id for type_ in ("architecture-doc", "requirements-doc")]
    urls = [f"{D}/{one}" for one in ids] + [
        f"{D}/{one}/export?format={f}" for one in ids for f in ("json", "md", "html")
    ]
    assert len({reader.get(url).headers["etag"] for url in urls}) == len(urls)


def test_a_tag_changes_with_what_is_shown(reader):
    document_id = reader.world.document(reader.project_id, "project-discovery", status="draft")
    url = f"{D}/{document_id}"
    tag = reader.get(url).headers["etag"]
    reader.world.sql("UPDATE documents SET status = 'stale' WHERE id = :id", id=document_id)
    again = reader.get(url, {"If-None-Match": tag})
    assert (again.status_code, again.json()["document"]["status"]) == (200, "stale")


@pytest.fixture
def made(monkeypatch):
    """The titles of the rendered pages."""
    titles = []

    def render(markdown, title):
        titles.append(title)
        return render_html(markdown, title)

    monkeypatch.setattr("combine.documents.html.render_html", render)
    return titles


def test_a_page_is_rendered_once_until_its_inputs_change(reader, made):
    document_id = reader.world.document(reader.project_id, "project-discovery", status="draft")
    url = f"{D}/{document_id}/export?format=html"
    first, second = reader.get(url), reader.get(url)
    assert (first.content, len(made)) == (second.content, 1)
    assert reader.get(url, {"If-None-Match": first.headers["etag"]}).status_code == 304
    reader.world.sql("UPDATE documents SET status = 'stale' WHERE id = :id", id=document_id)
    changed = reader.get(url, {"If-None-Match": first.headers["etag"]})
    assert (changed.status_code, len(made)) == (200, 2)
    assert ("(draft)" in first.text, "(stale)" in changed.text) == (True, True)
    name = reader.world.fresh("renamed")
    before = reader.world.project_name(reader.project_id)
    reader.world.sql("UPDATE projects SET name = :name WHERE id = :id", name=name, id=reader.project_id)
    assert name in reader.get(url, {"If-None-Match": changed.headers["etag"]}).text
    reader.world.sql("UPDATE projects SET name = :name WHERE id = :id", name=before, id=reader.project_id)


def test_a_page_the_client_has_is_not_rendered_again(reader, made):
    document_id = reader.world.document(reader.project_id, "project-discovery", status="draft")
    url = f"{D}/{document_id}/export?format=html"
    tag = reader.get(url).headers["etag"]
    with api_server(reader.world.server.serving.database.url) as other, other.client(reader.person.token) as client:
        assert client.get(url, headers={"If-None-Match": tag}).status_code == 304
        assert len(made) == 1
        assert client.get(url).headers["etag"] == tag
        assert len(made) == 2


def test_a_cached_page_still_requires_access(reader, made):
    document_id = reader.world.document(reader.project_id, "project-discovery", status="draft")
    url = f"{D}/{document_id}/export?format=html"
    tag = reader.get(url).headers["etag"]
    other = {"Authorization": f"Bearer {reader.world.person().token}"}
    for given in ({}, {"If-None-Match": tag}, {"If-None-Match": "*"}):
        assert reader.client.get(url, headers={**other, **given}).status_code == 404


def test_a_304_requires_access(reader):
    url = url_of(reader, TAGGED[0])
    tag = reader.get(url).headers["etag"]
    other = reader.world.person()
    for given in (tag, "*"):
        headers = {"Authorization": f"Bearer {other.token}", "If-None-Match": given}
        assert reader.client.get(url, headers=headers).status_code == 404
        assert reader.client.get(url, headers={"If-None-Match": given}).status_code == 401


@pytest.mark.parametrize("path", TAGGED)
def test_long_documents_are_compressed_if_the_client_accepts_it(reader, path):
    url = url_of(reader, path)
    mine = {"Authorization": f"Bearer {reader.person.token}", "Accept-Encoding": "gzip"}
    with reader.client.stream("GET", url, headers=mine) as packed:
        raw = b"".join(packed.iter_raw())
    plain = reader.get(url, {"Accept-Encoding": "identity"})
    assert (packed.headers["content-encoding"], packed.headers["etag"]) == ("gzip", plain.headers["etag"])
    assert "content-encoding" not in plain.headers
    assert "Accept-Encoding" in packed.headers["vary"]
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < len(plain.content)


def test_a_difference_names_what_changed(reader):
    content = bakery.document("requirements-doc")
    first = reader.world.document(reader.project_id, "requirements-doc", content, status="draft")
    content["functional_requirements"][0]["statement"] = "Something else."
    second = reader.world.document(reader.project_id, "requirements-doc", content, status="draft")
    found = reader.get(f"{D}/{second}/diff").json()
    assert (found["old"]["id"], found["new"]["id"]) == (str(first), str(second))
    assert "Something else." in json.dumps(found["diff"])


def test_nothing_was_written_by_reading(reader, monkeypatch):
    """Documents never change: neither their rows nor their number."""
    query = "SELECT count(*), md5(string_agg(d::text, ',' ORDER BY id)) FROM documents d"
    url = reader.world.server.serving.database.url
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        before = connection.execute(query).fetchone()
        for path in (f"{D}", f"{D}/requirements-doc", *(url_of(reader, one) for one in TAGGED)):
            reader.get(path)
        connection.rollback()
        assert connection.execute(query).fetchone() == before
    assert hashlib.md5(b"").hexdigest() != before[1]
