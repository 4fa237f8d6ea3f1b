"""A recorded execution: a snapshot with its prompts, replies and events, as one value and as one file.

It contains no keys, addresses, paths or provider messages; events are stripped of such texts.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from combine.documents.ordering import content_sha256
from combine.errors import Invalid
from combine.records import ExecutionSnapshot

FORMAT: Final = "combine-recording"
VERSION: Final = 1
MAX_BYTES = 256 * 1024 * 1024
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded execution. Its snapshot has no steps: they follow from the rest."""

    made_by: str
    """The program version that wrote it."""
    snapshot: ExecutionSnapshot


# The fields of each record in a file. Explicit lists: a new column must not change the file format on its own.
_EXECUTION = ("project", "status", "model", "ask", "given_answers", "forked_from", "created_at", "workflow", "brief_id")
_CALL = (
    "id",
    "step_id",
    "revision",
    "attempt",
    "purpose",
    "provider",
    "model",
    "model_answered",
    "state",
    "prompt_sha256",
    "prompt",
    "reply_sha256",
    "reply",
    "stop_reason",
    "stop_detail",
    "error_code",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cost_usd",
    "started_at",
    "finished_at",
)
_DOCUMENT = (
    "id",
    "type",
    "version",
    "status",
    "origin",
    "execution_id",
    "step_id",
    "revision",
    "attempt",
    "call_ids",
    "input_ids",
    "prompt_sha256",
    "assets",
    "model",
    "created_at",
    "content_sha256",
    "content",
)
_EARLIER = ("id", "type", "version", "content")
_QUESTION = (
    "number",
    "step_id",
    "round",
    "text",
    "why",
    "answer_type",
    "choices",
    "default",
    "required",
    "answer",
    "decided_by",
    "assumption_id",
    "answered_at",
)
_FINDING = (
    "step_id",
    "revision",
    "attempt",
    "kind",
    "severity",
    "code",
    "document",
    "item",
    "path",
    "message",
    "found",
    "expected",
)
_EVENT = ("seq", "at", "kind", "step_id", "data")
_NUMBER = ("at", "type", "prefix", "highest")
_LISTS = ("questions", "calls", "documents", "findings", "events", "earlier", "numbers")

_FROM_MACHINES = frozenset({"reason", "error"})
"""Keys of event data that may contain addresses and paths, unless a person wrote them."""
_FROM_PEOPLE = frozenset({"sent_back", "decided"})


def write_recording(recording: Recording, *, compress: bool) -> bytes:
    """The recording as a file. Equal recordings give equal bytes."""
    plain = _adapter().dump_python(recording.snapshot, mode="json")
    value = {
        "format": FORMAT,
        "version": VERSION,
        "made_by": recording.made_by,
        "execution_id": plain["execution"]["id"],
        **_only(_EXECUTION, plain["execution"]),
        "brief": plain["brief"],
        "questions": [_only(_QUESTION, one) for one in plain["questions"]],
        "calls": [_only(_CALL, one) | _input(one) for one in plain["calls"]],
        "documents": [_only(_DOCUMENT, one) for one in plain["documents"]],
        "findings": [_only(_FINDING, one) for one in plain["findings"]],
        "events": [_event(_only(_EVENT, one)) for one in plain["events"]],
        "earlier": [_only(_EARLIER, one) for one in plain["previous"]],
        "numbers": [_only(_NUMBER, one) for one in plain["numbers"]],
    }
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
    data = text.encode("utf-8", "backslashreplace")  # the JSON escape of half a surrogate pair
    return gzip.compress(data, mtime=0) if compress else data


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[ExecutionSnapshot]:
    return TypeAdapter(ExecutionSnapshot)  # takes longer than most recordings


def _only(names: tuple[str, ...], record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in names}


def _input(call: Mapping[str, Any]) -> dict[str, Any]:
    """The input; omitted for calls of older versions, which did not store one, so that their files do not change."""
    return {} if call["input"] is None else {"input": call["input"]}


def _event(event: dict[str, Any]) -> dict[str, Any]:
    if event["kind"] in _FROM_PEOPLE:
        return event
    return {**event, "data": {name: value for name, value in event["data"].items() if name not in _FROM_MACHINES}}


def read_recording_file(data: bytes, name: str) -> Recording:
    """The recording in a file, compressed or not. Raises Invalid with every format error."""
    raw = _json(data, name)
    if not isinstance(raw, Mapping) or raw.get("format") != FORMAT:
        raise _unusable(name, f"its format is not {FORMAT!r}")
    if raw.get("version") != VERSION:
        raise _unusable(name, f"its version is {raw.get('version')!r}; this version of combine reads {VERSION}")
    if missing := [key for key in ("execution_id", *_EXECUTION, "brief", *_LISTS) if key not in raw]:
        faults = [{"path": f"$.{key}", "message": "Field required"} for key in missing]
        raise _unusable(name, _listed(faults), faults)
    try:
        snapshot = _adapter().validate_python(_snapshot(raw))
    except ValidationError as error:
        faults = [{"path": _path(fault["loc"]), "message": fault["msg"]} for fault in error.errors()]
        raise _unusable(name, _listed(faults), faults) from None
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise _unusable(name, f"{type(error).__name__}: {error}") from None
    return Recording(str(raw.get("made_by", "")), snapshot)


def _snapshot(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The file's content as a snapshot, with missing values filled in."""
    own = {"project_id": raw["execution_id"]}
    execution = {"id": raw["execution_id"], **own, "updated_at": raw["created_at"]}
    earlier = {**own, "status": "superseded", "origin": "model", "created_at": raw["created_at"]}
    return {
        "execution": {**execution, **_only(_EXECUTION, raw)},
        "brief": raw["brief"],
        "steps": (),
        "questions": [{**one, "id": f"Q-{one['number']}"} for one in raw["questions"]],
        "calls": [{"execution_id": raw["execution_id"], **one} for one in raw["calls"]],
        "documents": [{**own, **one} for one in raw["documents"]],
        "findings": raw["findings"],
        "events": raw["events"],
        "previous": [{**earlier, "content_sha256": content_sha256(one["content"]), **one} for one in raw["earlier"]],
        "numbers": raw["numbers"],
    }


def _listed(faults: list[dict[str, str]]) -> str:
    shown = "; ".join(f"{fault['path']}: {fault['message']}" for fault in faults[:5])
    return shown + (f"; and {len(faults) - 5} more" if len(faults) > 5 else "")  # noqa: PLR2004 - the number shown


def _json(data: bytes, name: str) -> object:
    try:
        if data.startswith(_GZIP):
            unpacker = zlib.decompressobj(wbits=31)
            data = unpacker.decompress(data, MAX_BYTES)
            if not unpacker.eof:
                raise _unusable(name, "it is truncated or larger than 256 MB")
        return json.loads(data)
    except (ValueError, zlib.error, RecursionError) as error:
        raise _unusable(name, f"it is not valid JSON ({error})") from None


def _path(location: tuple[int | str, ...]) -> str:
    if location[:1] == ("execution",):  # the execution's fields are at the top level of a file
        location = location[1:]
    elif location[:1] == ("previous",):
        location = ("earlier", *location[1:])
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _unusable(name: str, why: str, faults: list[dict[str, str]] | None = None) -> Invalid:
    return Invalid(
        f"{name} is not a valid recording: {why}.",
        code="recording_invalid",
        hint="Create one with `combine record ID --out FILE`.",
        details={"faults": faults or []},
    )
