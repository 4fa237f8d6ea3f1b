"""``combine record`` and ``combine replay``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from combine.cli.exit_codes import ExitCode
from combine.cli.files import write_bytes
from combine.cli.looking import as_json
from combine.cli.places import the_place
from combine.cli.runtime import prepare, put
from combine.cli.wording import count, short
from combine.errors import CombineError, Invalid
from combine.execution.recording import Recording, read_recording_file
from combine.execution.replay import PromptDifference, ReplayedDocument, ReplayReport
from combine.services.replay import replay_recording
from combine.workflows.catalog import load_catalog

_GZIP = b"\x1f\x8b"
_ENDINGS = (".json", ".gz")


async def record(execution: str, out: Path, *, json: bool) -> int:
    """One execution as one file."""
    async with the_place().reading() as reading:
        file = await reading.replays.file(execution, compress=out.suffix == ".gz")
    try:
        write_bytes(out, file.data)
    except CombineError as error:  # nothing is lost and nothing is done: the place was wrong
        raise Invalid(
            error.message, code=error.code, hint="Give --out a file in a folder that you may write to."
        ) from None
    facts = _facts(file.recording, out, len(file.data))
    put(as_json(facts) if json else _recorded(facts))
    return ExitCode.COMPLETED


def _facts(recording: Recording, out: Path, size: int) -> dict[str, Any]:
    return {
        "execution_id": recording.execution_id,
        "status": recording.status,
        "file": str(out),
        "bytes": size,
        "documents": len(recording.documents),
        "calls": len(recording.calls),
        "version": recording.version,
    }


def _recorded(facts: dict[str, Any]) -> str:
    made = f"{count(facts['documents'], 'document')}, {count(facts['calls'], 'call')}, {facts['bytes']:,} bytes"
    return f"Recorded {short(facts['execution_id'])} in {facts['file']}: {made}\nNext: combine replay {facts['file']}"


async def replay(what: str, *, json: bool) -> int:
    """Rebuild the documents of an execution, or of a recording in a file, and compare."""
    if _names_a_file(what):
        recording = read_recording_file(_read(Path(what)), what)
        report = await replay_recording(recording, load_catalog(prepare().workflows_dir))
    else:
        async with the_place().reading() as reading:
            report = await reading.replays.replay(what)
    put(as_json(asdict(report)) if json else "\n".join(_page(report)))
    return ExitCode.COMPLETED if report.identical else ExitCode.OTHER


def _names_a_file(what: str) -> bool:
    return what.endswith(_ENDINGS) or Path(what).is_file()


def _read(path: Path) -> bytes:
    hint = "`combine record ID --out FILE` writes one."
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = f"{path} cannot be read: {error.strerror or error}."
        raise Invalid(reason, code="file_unreadable", hint=hint) from None
    try:
        if not data.startswith(_GZIP):
            data.decode("utf-8-sig")
    except UnicodeDecodeError:
        reason = f"{path} is no recording: it is neither text in UTF-8 nor compressed."
        raise Invalid(reason, code="recording_invalid", hint=hint) from None
    return data


def _page(report: ReplayReport) -> Iterator[str]:
    same = sum(one.identical for one in report.documents)
    verdict = "Identical" if report.identical else "Different"
    yield (
        f"{verdict}: {same} of {count(len(report.documents), 'document')} rebuilt byte for byte "
        f"from {count(report.replies, 'stored reply', 'stored replies')} (execution {short(report.execution_id)})"
    )
    for one in report.documents:
        yield from _document(one)
    for place in report.other_questions:
        yield f"  Other questions came out in step {place}."
    rendered = report.prompts - len(report.other_prompts)
    yield f"Prompts   {rendered} of {report.prompts} render to the same bytes"
    for other in report.other_prompts:
        yield from _prompt(other)


def _document(one: ReplayedDocument) -> Iterator[str]:
    mark = "same" if one.identical else "DIFFERENT"
    yield f"  {one.type} {one.version}  {mark}  {one.stored_sha256[:12]}"
    for difference in one.differences:
        yield f"      {difference.path}: stored {difference.stored}, rebuilt {difference.rebuilt}"
    for reason in one.reasons:
        yield f"      why: {reason}"


def _prompt(one: PromptDifference) -> Iterator[str]:
    yield f"  {one.step_id}, revision {one.revision}, attempt {one.attempt}: other {', '.join(one.parts) or 'text'}"
    for reason in one.reasons:
        yield f"      why: {reason}"
