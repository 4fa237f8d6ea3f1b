"""A recorded execution: everything that its documents were made of, as one value and as one file.

No key, no address, no path and no message of a provider is in it; the events are stripped of such texts.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

from combine.errors import Invalid
from combine.storage.hot.segment_state import FindingFacts

FORMAT: Final = "combine-recording"
VERSION: Final = 1
MAX_BYTES = 256 * 1024 * 1024
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class RecordedPrompt:
    """The three parts of a request."""

    system: str
    prefix: str
    task: str


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One request of the ledger."""

    id: UUID
    step_id: str
    revision: int
    attempt: int
    purpose: str
    provider: str
    model: str
    model_answered: str | None
    state: str
    prompt_sha256: str
    prompt: RecordedPrompt | None
    reply_sha256: str | None
    reply: str | None
    stop_reason: str | None
    stop_detail: str | None
    error_code: str | None
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: Decimal | None
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class RecordedDocument:
    """One version that the execution has made, or has taken over from the one it was forked from."""

    id: UUID
    type: str
    version: int
    status: str
    origin: str
    execution_id: UUID | None
    step_id: str | None
    revision: int | None
    attempt: int | None
    call_ids: tuple[UUID, ...]
    input_ids: tuple[UUID, ...]
    prompt_sha256: str | None
    assets: dict[str, str]
    model: str | None
    created_at: datetime
    content_sha256: str
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordedQuestion:
    """One question; ``answer`` is null while it is open."""

    number: int
    step_id: str
    round: int
    text: str
    why: str
    answer_type: str
    choices: tuple[str, ...]
    default: str
    required: bool
    answer: str | None
    decided_by: str | None
    assumption_id: str | None
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """One event, without texts of providers and machines."""

    seq: int
    at: datetime
    kind: str
    step_id: str | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EarlierVersion:
    """A version of another execution that this one follows: its items keep their ids."""

    id: UUID
    type: str
    version: int
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NumbersTaken:
    """The highest number of one kind of id that had been given in the project when this execution began."""

    at: datetime
    type: str
    prefix: str
    highest: int


@dataclass(frozen=True, slots=True)
class Recording:
    """One execution as it was."""

    format: Literal["combine-recording"]
    version: Literal[1]
    made_by: str
    """Version of the program that wrote it."""
    execution_id: UUID
    project: str
    status: str
    model: str
    ask: bool
    given_answers: dict[str, str]
    forked_from: UUID | None
    created_at: datetime
    workflow: dict[str, Any]
    """The definition as it was at the start."""
    brief_id: UUID
    brief: dict[str, Any]
    questions: tuple[RecordedQuestion, ...]
    calls: tuple[RecordedCall, ...]
    documents: tuple[RecordedDocument, ...]
    findings: tuple[FindingFacts, ...]
    events: tuple[RecordedEvent, ...]
    earlier: tuple[EarlierVersion, ...]
    numbers: tuple[NumbersTaken, ...]


def write_recording(recording: Recording, *, compress: bool) -> bytes:
    """The file. The same recording gives the same bytes."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - only files need it

    value = TypeAdapter(Recording).dump_python(recording, mode="json")
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
    data = text.encode("utf-8", "backslashreplace")  # JSON's own escape of half a surrogate pair
    return gzip.compress(data, mtime=0) if compress else data


def read_recording_file(data: bytes, name: str) -> Recording:
    """The recording in a file, compressed or not. Raises Invalid with every fault of its form."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - as above

    raw = _json(data, name)
    if not isinstance(raw, Mapping) or raw.get("format") != FORMAT:
        raise _unusable(name, f"its format is not {FORMAT!r}")
    if raw.get("version") != VERSION:
        raise _unusable(name, f"its version is {raw.get('version')!r}; this program reads {VERSION}")
    try:
        return TypeAdapter(Recording).validate_python(raw)
    except ValidationError as error:
        faults = [{"path": _path(fault["loc"]), "message": fault["msg"]} for fault in error.errors()]
        told = "; ".join(f"{fault['path']}: {fault['message']}" for fault in faults[:5])
        more = f"; and {len(faults) - 5} more" if len(faults) > 5 else ""  # noqa: PLR2004 - those that are told
        raise _unusable(name, told + more, faults) from None


def _json(data: bytes, name: str) -> object:
    try:
        if data.startswith(_GZIP):
            unpacker = zlib.decompressobj(wbits=31)
            data = unpacker.decompress(data, MAX_BYTES)
            if not unpacker.eof:
                raise _unusable(name, "it is cut off, or larger than 256 MB")
        return json.loads(data)
    except (ValueError, zlib.error, RecursionError) as error:
        raise _unusable(name, f"it is no JSON ({error})") from None


def _path(location: tuple[int | str, ...]) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _unusable(name: str, why: str, faults: list[dict[str, str]] | None = None) -> Invalid:
    return Invalid(
        f"{name} is no recording that can be used: {why}.",
        code="recording_invalid",
        hint="`combine record ID --out FILE` writes one.",
        details={"faults": faults or []},
    )
