"""Writes the lower part of docs/reference/api.md: routes and objects of the HTTP API, from its own OpenAPI document.

Who may use a route is taken from the table of docs/rights.md.

``python scripts/api_reference.py`` writes the page; ``--check`` exits 1 if the page is out of step.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from combine.main import create_app
from combine.settings import Settings

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "api.md"
EVERYWHERE = frozenset({"400", "401", "408", "413", "414", "415", "422", "429", "431", "500", "503"})
RIGHTS = PAGE.parents[1] / "rights.md"
_ROW = re.compile(r"^\| `([A-Z]+ /\S*)` \|(.*)\|$", re.MULTILINE)
_ROLES = ("anonymous", "other", "viewer", "editor", "owner", "admin")
_WHO = {
    "anonymous": "everybody",
    "other": "whoever is signed in",
    "viewer": "viewers of the project",
    "editor": "its editors",
    "owner": "its owners",
    "admin": "admins of the installation",
}
_REFUSED = 400
MARK = "<!-- What follows is made by `python scripts/api_reference.py`. -->\n"


def document() -> dict[str, Any]:
    """The OpenAPI document; no server is started and nothing is connected to."""
    return create_app(Settings(database_url=SecretStr("postgresql://nobody@localhost/nothing"))).openapi()


def kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words; objects by name, with a link."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind(one) for one in schema["anyOf"]))
    if values := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return ", ".join(f"`{one}`" for one in values)
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    return str(schema.get("format", schema.get("type", "anything")))


def words(text: str) -> str:
    """For one cell of a table."""
    return " ".join(text.replace("|", "\\|").split())


def rights(text: str) -> dict[str, str]:
    """Route -> who may use it, with which scope."""
    found = {}
    for name, cells in _ROW.findall(text):
        statuses = [int(cell) for cell in cells.split("|")]
        least = next((role for role, status in zip(_ROLES, statuses, strict=False) if status < _REFUSED), None)
        read, run = (status < _REFUSED for status in statuses[len(_ROLES) : len(_ROLES) + 2])
        if least is not None:
            scope = "" if least == "anonymous" else f"; scope `{'read' if read else 'run' if run else 'admin'}`"
            found[name] = f"For {_WHO[least]}{scope}."
    return found


def routes(found: Mapping[str, Any]) -> Iterator[str]:
    """A section for each tag, and in it each route."""
    by_tag: defaultdict[str, list[str]] = defaultdict(list)
    who = rights(RIGHTS.read_text(encoding="utf-8"))
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            if method != "head":
                tag = operation.get("tags", ["watching"])[0]
                name = f"{method.upper()} {path}"
                by_tag[tag].append("\n".join(route(name, operation, who[name])))
    for tag, sections in by_tag.items():
        yield f"## Routes: {tag}\n"
        yield from sections


def route(title: str, operation: Mapping[str, Any], who: str) -> Iterator[str]:
    """One route: what it does, for whom, what it takes and answers."""
    yield f"### {title}\n"
    yield operation.get("description", operation.get("summary", "")).strip() + "\n"
    yield who + "\n"
    rows = [
        f"| `{one['name']}` | {one['in']} | {kind(one['schema'])} | {words(one.get('description', ''))} |"
        for one in operation.get("parameters", [])
        if one["in"] != "path"
    ]
    if rows:
        yield "| parameter | in | kind | |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    takes = f"Takes {kind(body)}. " if body else ""
    answers = ", ".join(
        f"{status} {answer(response)}".strip()
        for status, response in operation["responses"].items()
        if status not in EVERYWHERE
    )
    yield f"{takes}Answers: {answers}.\n"


def answer(response: Mapping[str, Any]) -> str:
    """What comes with a status."""
    content = response.get("content", {})
    schema = content.get("application/json", {}).get("schema")
    if schema is not None and len(content) == 1:
        return kind(schema) if schema else ""
    return "as " + " or ".join(f"`{one}`" for one in content) if content else ""


def objects(found: Mapping[str, Any]) -> Iterator[str]:
    """Every object, with its fields."""
    yield "## Objects\n\nA field with `?` may be left out.\n"
    for name, schema in sorted(found["components"]["schemas"].items()):
        yield f"### {name}\n"
        if text := schema.get("description", "").strip():
            yield text + "\n"
        if "enum" in schema:
            yield kind(schema) + "\n"
            continue
        required = set(schema.get("required", ()))
        rows = [
            f"| `{field}`{'' if field in required else ' ?'} | {kind(one)} | {words(one.get('description', ''))} |"
            for field, one in schema.get("properties", {}).items()
        ]
        if rows:
            yield "| field | kind | |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n"


def render(page: str) -> str:
    """The whole page; what a person has written above the mark stays."""
    found = document()
    return "\n".join([page.partition(MARK)[0] + MARK, *routes(found), *objects(found)])


def main() -> int:
    """Write, or compare."""
    page = PAGE.read_text(encoding="utf-8")
    made = render(page)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    if made == page:
        return 0
    print("docs/reference/api.md is out of step: run python scripts/api_reference.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
