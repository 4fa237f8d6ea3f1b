"""The bakery's provider, which counts what it was asked and what it billed, by execution and by the call's place in it.

Every execution has a brief of its own: the bakery's with one sentence more, its marker. Each makes the same six calls:
discovery asks and drafts, requirements, architecture fails its checks once, review.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import bakery
import fake_llm_wire as wire
import psycopg
from fake_llm import FakeLLM, Received, Reply

from combine.llm.pricing import Pricing
from combine.records import Usage
from combine.storage.core.urls import libpq_url
from combine.workflows.models import parse_model

MODEL = "claude-sonnet-5-5"
ANSWERS = {bakery.QUESTION["text"]: "Offer the next free day."}
PLACES = tuple(
    (type_, purpose)
    for type_, purpose in (
        ("project-discovery", "ask"),
        ("project-discovery", "draft"),
        ("requirements-doc", "draft"),
        ("architecture-doc", "draft"),
        ("architecture-doc", "mend"),
        ("strategy-review", "draft"),
    )
)
_SENTENCE = "The number of this order is {}."
_MARKER = re.compile(r"The number of this order is ([a-z0-9]+)\.")

Key = tuple[str, str, str]
"""Marker, document type, purpose."""


def brief(marker: str) -> str:
    """The bakery's brief, told apart by its last sentence."""
    return f"{bakery.BRIEF.rstrip()}\n\n{_SENTENCE.format(marker)}\n"


def key_of(document_type: str, prompt: str) -> Key:
    """Which call of which execution this is."""
    found = _MARKER.search(prompt)
    assert found, "a request without a marker"
    purpose = "mend" if "<draft>" in prompt else "draft"
    if document_type == "project-discovery" and '"id":"Q-1"' not in prompt:
        purpose = "ask"
    return found[1], document_type, purpose


class CountingProvider:
    """A ``FakeLLM`` and its own books."""

    def __init__(self, *, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self.received: Counter[Key] = Counter()
        self.billed: defaultdict[Key, list[Usage]] = defaultdict(list)
        self.fake = FakeLLM(self._answer)
        self._count, self.fake._cache.count = self.fake._cache.count, self._counted

    def _answer(self, received: Received) -> Reply:
        key = key_of(received.document_type, received.user)
        self.received[key] += 1
        return Reply(text=_TEXTS[key[1:]], delay_s=self.delay_s)

    def _counted(self, protocol: str, body: dict[str, Any], prompt: str, text: str) -> Any:
        counts = self._count(protocol, body, prompt, text)
        user = "\n".join(wire.text_of(message["content"]) for message in body["messages"] if message["role"] == "user")
        type_ = re.search(r'<output type="([^"]+)"', user)
        assert type_
        usage = Usage(counts.input, counts.output, counts.read, counts.written)
        self.billed[key_of(type_[1], user)].append(usage)
        return counts


def _bad() -> str:
    content = bakery.document("architecture-doc")
    content["components"][0]["sources"] = [{"ref": "B-999", "quote": "nobody has ever said this anywhere"}]
    return bakery.reply(content)


_TEXTS = {
    **{(type_, "draft"): bakery.reply(bakery.document(type_)) for type_ in bakery.TYPES},
    ("project-discovery", "ask"): bakery.asking(),
    ("architecture-doc", "draft"): _bad(),
    ("architecture-doc", "mend"): bakery.reply(bakery.document("architecture-doc")),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an audit has counted."""

    executions: int
    calls: int
    repeated: int
    """Requests beyond one for each call; each belongs to a call whose outcome is unknown."""
    unknown: int
    faults: tuple[str, ...]


def audit(database_url: str, provider: CountingProvider, markers: list[str], *, zombies: bool = False) -> Verdict:
    """Compare the tables with the provider's books. Every marker's execution must have ended well.

    ``zombies``: a process may have come back and stored its reply beside its successor's.
    """
    with psycopg.connect(libpq_url(database_url)) as connection:
        executions = connection.execute(
            "SELECT p.name, e.id, e.status, e.reason, e.reserved_usd, e.spent_usd, e.seq "
            "FROM executions e JOIN projects p ON p.id = e.project_id"
        ).fetchall()
        calls = connection.execute(
            "SELECT c.execution_id, c.state, c.step_id, c.input_tokens, c.output_tokens, c.cache_read_tokens, "
            "c.cache_write_tokens, c.cost_usd, c.reserved_usd, b.body FROM llm_calls c "
            "JOIN blobs b ON b.sha256 = c.prompt_sha256"
        ).fetchall()
        documents = connection.execute(
            "SELECT p.name, d.type, d.version, d.status FROM documents d JOIN projects p ON p.id = d.project_id "
            "WHERE d.type <> 'brief'"
        ).fetchall()
        gaps = connection.execute(
            "SELECT e.id FROM executions e WHERE e.seq <> (SELECT count(*) FROM events v WHERE v.execution_id = e.id)"
        ).fetchall()
    faults = [f"{name}: {status}: {reason}" for name, _, status, reason, *_ in executions if status != "completed"]
    faults += [f"events of {id_} have gaps" for (id_,) in gaps]
    names = Counter(name for name, *_ in executions)
    faults += [f"{name}: {names[name]} executions" for name in {*markers, *names} if names[name] != 1]
    wanted = Counter((name, type_, 1, "active") for name in names for type_ in bakery.TYPES)
    faults += [f"document {one}" for one in (wanted - Counter(documents))]
    faults += [f"document not wanted {one}" for one in (Counter(documents) - wanted)]
    replied: defaultdict[Key, list[Any]] = defaultdict(list)
    unknown: Counter[Key] = Counter()
    for row in calls:
        prompt = json.loads(bytes(row[9]))
        type_ = re.search(r'<output type="([^"]+)"', prompt["task"])
        assert type_
        key = key_of(type_[1], prompt["prefix"] + prompt["task"])
        if row[1] == "replied":
            replied[key].append(row)
        elif row[1] == "outcome_unknown":
            unknown[key] += 1
        else:
            faults.append(f"{key}: a call is {row[1]}")
    for key in {(name, *place) for name in names for place in PLACES} | set(replied) | set(provider.received):
        faults += _faults_of_call(key, replied[key], unknown[key], provider, zombies)
    for name, id_, _, _, reserved, spent, _ in executions:
        own = [row for row in calls if row[0] == id_]
        costs = sum((row[7] for row in own if row[1] == "replied"), Decimal(0))
        open_ = sum((row[8] for row in own if row[1] == "outcome_unknown"), Decimal(0))
        if (spent, reserved) != (costs, open_):
            faults.append(f"{name}: spent {spent}, calls {costs}; reserved {reserved}, unknown {open_}")
    repeated = sum(count - 1 for count in provider.received.values() if count)
    return Verdict(len(executions), sum(map(len, replied.values())), repeated, unknown.total(), tuple(faults))


def _faults_of_call(key: Key, replied: list[Any], unknown: int, provider: CountingProvider, zombies: bool) -> list[str]:
    received = provider.received[key]
    faults = []
    if len(replied) != 1 and not (zombies and replied):
        faults.append(f"{key}: {len(replied)} replies in the ledger")
    if not 1 <= received <= len(replied) + unknown:
        faults.append(f"{key}: received {received} times, {unknown} of unknown outcome")
    billed = [(one, _price(one)) for one in provider.billed[key]]
    booked = [(Usage(*row[3:7]), row[7]) for row in replied]
    faults += [f"{key}: the ledger says {one}, the provider {billed}" for one in booked if one not in billed]
    return faults


def _price(usage: Usage) -> Decimal | None:
    usd = Pricing({}).price(parse_model(MODEL)[0], usage).usd
    return None if usd is None else usd.quantize(Decimal("0.000001"), ROUND_HALF_UP)
