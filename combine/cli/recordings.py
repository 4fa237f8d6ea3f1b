"""``combine record`` and ``combine replay``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from combine.cli.backend import choose_backend
from combine.cli.exit_codes import ExitCode
from combine.cli.files import write_bytes
from combine.cli.formatting import as_json, count, short
from combine.cli.runtime import prepare, put
from combine.errors import CombineError, Invalid
from combine.execution.recording import VERSION, read_recording_file
from combine.execution.replay import PromptDifference, ReplayedDocument, ReplayReport
from combine.records import ExecutionSnapshot
from combine.services.replay import replay_recording
from combine.workflows.catalog import load_catalog

_GZIP = b"\x1f\x8b"
_EXTENSIONS = (".json", ".gz")


async def record(execution: str, out: Path, *, json: bool) -> int:
    """Save an execution to a file."""
    async with choose_backend().reading() as services:
        file = await services.replays.file(execution, compress=out.suffix == ".gz")
    try:
        write_bytes(out, file.data)
    except CombineError as error:  # here the argument was wrong
        raise Invalid(error.message, code=error.code, hint="Choose a writable file with --out.") from None
    facts = _facts(file.recording.snapshot, out, len(file.data))
    put(as_json(facts) if json else _recorded(facts))
    return ExitCode.COMPLETED


def _facts(recorded: ExecutionSnapshot, out: Path, size: int) -> dict[str, Any]:
    return {
        "execution_id": recorded.execution.id,
        "status": recorded.execution.status,
        "file": str(out),
        "bytes": size,
        "documents": len(recorded.documents),
        "calls": len(recorded.calls),
        "version": VERSION,
    }


def _recorded(facts: dict[str, Any]) -> str:
    content = f"{count(facts['documents'], 'document')}, {count(facts['calls'], 'call')}, {facts['bytes']:,} bytes"
    saved = f"Saved execution {short(facts['execution_id'])} to {facts['file']}: {content}"
    return f"{saved}\nNext: combine replay {facts['file']}"


async def replay(source: str, *, json: bool) -> int:
    """Rebuild the documents of an execution or of a recording file, and compare them."""
    if _is_file(source):
        recording = read_recording_file(_read(Path(source)), source)
        report = await replay_recording(recording, load_catalog(prepare().workflows_dir))
    else:
        async with choose_backend().reading() as services:
            report = await services.replays.replay(source)
    put(as_json(asdict(report)) if json else "\n".join(_replay_lines(report)))
    return ExitCode.COMPLETED if report.identical else ExitCode.OTHER


def _is_file(source: str) -> bool:
    return source.endswith(_EXTENSIONS) or Path(source).is_file()


def _read(path: Path) -> bytes:
    hint = "Create a recording with `combine record ID --out FILE`."
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = f"Cannot read {path}: {error.strerror or error}."
        raise Invalid(reason, code="file_unreadable", hint=hint) from None
    try:
        if not data.startswith(_GZIP):
            data.decode("utf-8-sig")
    except UnicodeDecodeError:
        reason = f"{path} is not a recording: it is neither UTF-8 text nor compressed with gzip."
        raise Invalid(reason, code="recording_invalid", hint=hint) from None
    return data


def _replay_lines(report: ReplayReport) -> Iterator[str]:
    same = sum(one.identical for one in report.documents)
    verdict = "Identical" if report.identical else "Different"
    yield (
        f"{verdict}: {same} of {count(len(report.documents), 'document')} rebuilt byte for byte "
        f"from {count(report.replies, 'stored reply', 'stored replies')} (execution {short(report.execution_id)})"
    )
    for one in report.documents:
        yield from _document_lines(one)
    for step in report.other_questions:
        yield f"  Different questions in step {step}."
    rendered = report.prompts - len(report.other_prompts)
    yield f"Prompts   {rendered} of {report.prompts} rendered identically"
    for other in report.other_prompts:
        yield from _prompt_lines(other)


def _document_lines(one: ReplayedDocument) -> Iterator[str]:
    mark = "same" if one.identical else "DIFFERENT"
    yield f"  {one.type} {one.version}  {mark}  {one.stored_sha256[:12]}"
    for difference in one.differences:
        yield f"      {difference.path}: stored {difference.stored}, rebuilt {difference.rebuilt}"
    for reason in one.reasons:
        yield f"      why: {reason}"


def _prompt_lines(one: PromptDifference) -> Iterator[str]:
    yield f"  {one.step_id}, revision {one.revision}, attempt {one.attempt}: {', '.join(one.parts) or 'text'} differs"
    for reason in one.reasons:
        yield f"      why: {reason}"
