"""The architecture document by rules: the plainest design that carries the requirements."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from combine.documents.schema_walk import JsonObject
from combine.drafter.draft import Assumptions, JsonDict, Source, cite, merged
from combine.drafter.ids import Ids
from combine.drafter.reading import Reading
from combine.drafter.text import bare, shorten

MAX_SATISFIES = 30
MANY_SOURCES = 3


@dataclass(frozen=True, slots=True)
class _Parts:
    """The requirements, grouped by the component that carries them."""

    groups: Mapping[str, list[JsonObject]]
    """Name of a component in ``Frames.components`` -> what it satisfies."""
    functional: list[JsonObject]
    qualities: list[JsonObject]
    data: list[JsonObject]
    systems: list[JsonObject]
    guarded: list[JsonObject]
    """Qualities about data: place, deletion, access."""
    limited: list[JsonObject]
    """Functional requirements that hold a limit."""


def draft_architecture(reading: Reading, ids: Ids) -> JsonDict:
    """The whole document."""
    frames, assumptions = reading.frames, Assumptions(ids)
    needs, discovery = reading.document("requirements-doc"), reading.document("project-discovery")
    parts = _parts(needs, reading)
    label = assumptions.declare(frames.architecture_label, frames.architecture_label_reason)
    names = [name for name in frames.components if parts.groups.get(name)]
    numbers = dict(zip(names, ids.give("CMP", [frames.components[n].name for n in names]), strict=True))
    decisions = _decisions(parts, discovery, reading, assumptions, label)
    given = ids.give("ADR", [d["title"] for d in decisions.values()])
    adr = dict(zip(decisions, given, strict=True))
    document: JsonDict = {
        "overview": {
            "summary": _summary(parts, names, reading),
            "style": frames.style,
            "key_decisions": list(adr.values()),
        },
        "components": [_component(n, numbers, parts, reading) for n in names],
        "technology_stack": _stack(parts, adr, reading, assumptions),
        "decisions": [{"id": adr[name], **decision} for name, decision in decisions.items()],
        "assumptions": assumptions.items,
    }
    if parts.data:
        document["data_architecture"] = [_kept(d, numbers["store"], parts, reading) for d in parts.data]
    return document


def _parts(needs: JsonObject, reading: Reading) -> _Parts:
    functional, qualities = _items(needs, "functional_requirements"), _items(needs, "non_functional_requirements")
    data, systems = _items(needs, "data_requirements"), _items(needs, "integration_requirements")
    stories = _items(needs, "user_stories")
    pages, limited, messages, reports = _by_purpose(functional, reading)
    guarded = [q for q in qualities if q.get("category") == "security"]
    seen = [q for q in qualities if q.get("category") in ("usability", "compatibility")]
    rest = [q for q in qualities if q not in guarded and q not in seen]
    groups = {
        "pages": [*pages, *stories, *seen] if pages or stories else [],
        "rules": limited,
        "messages": messages,
        "reports": reports if pages else [],
        "gateway": systems,
        "store": [*data, *guarded, *rest] or functional[:1],
    }
    if not groups["pages"]:
        groups["pages"] = [*reports, *messages, *seen] or [*functional[:1]] or [*qualities[:1]]
        groups["reports"] = []
    return _Parts(groups, functional, qualities, data, systems, guarded, limited)


def _by_purpose(
    functional: list[JsonObject], reading: Reading
) -> tuple[list[JsonObject], list[JsonObject], list[JsonObject], list[JsonObject]]:
    """(pages, limits, messages, reports) among the functional requirements."""
    cues, frames = reading.cues, reading.frames
    limited = [f for f in functional if cues.has("cap", _text(f)) or frames.limit.split("{")[0] in _text(f)]
    messages = [f for f in functional if f not in limited and _says(frames.message_cue, f)]
    reports = [f for f in functional if f not in [*limited, *messages] and _says(frames.report_cue, f)]
    # A message that people ask for or look at needs pages, too; one the system sends by itself does not.
    special = [f for f in (*messages, *reports) if not _says(frames.person_cue, f)]
    return [f for f in functional if f not in special], limited, messages, reports


def _says(cue: str, item: JsonObject) -> bool:
    return re.search(cue, _text(item), re.IGNORECASE) is not None


def _items(document: JsonObject, field: str) -> list[JsonObject]:
    value = document.get(field, [])
    return [v for v in value if isinstance(v, dict) and "id" in v] if isinstance(value, list) else []


def _text(item: JsonObject) -> str:
    return f"{item.get('title', '')} {item.get('description', '')}"


def _component(name: str, numbers: Mapping[str, str], parts: _Parts, reading: Reading) -> JsonDict:
    frame = reading.frames.components[name]
    return {
        "id": numbers[name],
        "satisfies": [str(i["id"]) for i in parts.groups[name]][:MAX_SATISFIES],
        "name": frame.name,
        "responsibility": frame.responsibility,
        "interfaces": list(frame.interfaces),
        "depends_on": [numbers[n] for n in frame.depends_on if n in numbers],
    }


def _summary(parts: _Parts, names: Sequence[str], reading: Reading) -> str:
    frames = reading.frames
    listed = ", ".join(frames.components[n].name for n in names)
    text = frames.summary.format(parts=listed, functional=len(parts.functional), other=len(parts.qualities))
    if parts.systems:
        text += " " + frames.summary_outside.format(systems=", ".join(str(s["system"]) for s in parts.systems))
    return text


def _decisions(
    parts: _Parts, discovery: JsonObject, reading: Reading, assumptions: Assumptions, label: str
) -> dict[str, JsonDict]:
    """The decisions the requirements call for, by their name in ``Frames.decisions``."""
    limits = [c for c in _items(discovery, "constraints") if c.get("type") in ("time", "budget", "resource")]
    core = sorted(parts.functional, key=lambda f: f.get("priority") != "must")[:1]
    forces = [*core, *limits[:MANY_SOURCES]]
    plain = merged((cite(i, "description") for i in forces), [assumptions.source(label)])
    decided = {"one": _decision("one", forces, plain, reading)}
    for name, items in (("limits", parts.limited), ("data", parts.guarded), ("gateway", parts.systems)):
        if items:
            sources = merged(cite(i, "description", "title", "system") for i in items)
            decided[name] = _decision(name, items, sources, reading)
    return decided


def _decision(name: str, items: Sequence[JsonObject], sources: list[Source], reading: Reading) -> JsonDict:
    frame = reading.frames.decisions[name]
    named = ", ".join(str(i["id"]) for i in items[:MANY_SOURCES]) or str(sources[0]["ref"])
    return {
        "sources": sources,
        "title": frame.title,
        "decision": frame.decision,
        "rationale": frame.rationale.format(ids=named),
        "alternatives": list(frame.alternatives),
        "consequences": list(frame.consequences),
    }


def _stack(parts: _Parts, adr: Mapping[str, str], reading: Reading, assumptions: Assumptions) -> list[JsonDict]:
    frames = reading.frames
    spoken = " ".join(s.text for s in reading.usable)
    kind = frames.stack_web if re.search(frames.web_cue, spoken, re.IGNORECASE) else frames.stack_application
    stack = [
        {"area": frames.area_application, "choice": kind, "decided_by": adr["one"]},
        {"area": frames.area_store, "choice": frames.stack_store, "decided_by": adr["one"]},
    ]
    place = next((p for q in parts.guarded if (p := reading.cues.find("place", _text(q)))), "")
    if place:
        stack.append(
            {"area": frames.area_hosting, "choice": frames.stack_place.format(place=place), "decided_by": adr["data"]}
        )
    elif not any(s.is_a("hosting") for s in reading.usable):
        number = assumptions.declare(frames.no_host, frames.no_host_reason)
        stack.append(
            {"area": frames.area_hosting, "choice": frames.stack_host.format(id=number), "decided_by": adr["one"]}
        )
    return stack


def _kept(data: JsonObject, store: str, parts: _Parts, reading: Reading) -> JsonDict:
    personal = any(reading.frames.personal in str(a) for a in data.get("attributes", []))
    rules = [str(q["id"]) for q in parts.guarded] if personal else []
    entry: JsonDict = {"data": shorten(bare(str(data["entity"])), 8), "kept_in": store}
    return entry | ({"rules": reading.frames.data_rules.format(ids=", ".join(rules[:6]))} if rules else {})
