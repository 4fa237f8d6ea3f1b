"""Recordings: exports an execution as one value, and replays it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from combine import __version__
from combine.auth.permissions import Actor
from combine.errors import CombineError, Conflict, Invalid
from combine.execution.old_inputs import previous_shown
from combine.execution.recording import Recording, write_recording
from combine.execution.replay import Replay, ReplayReport
from combine.services.access import Access
from combine.storage.core.database import Database
from combine.storage.recordings import Recordings
from combine.storage.snapshot import Depth, Snapshots
from combine.workflows.catalog import Catalog


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """A recording and its bytes."""

    recording: Recording
    data: bytes


class ReplayService:
    """Reads only. One public method is one transaction."""

    def __init__(self, database: Database, catalog: Catalog, *, actor: Actor, secrets: Sequence[str]) -> None:
        """``secrets``: texts that must not appear in a recording."""
        self._database = database
        self._catalog = catalog
        self._access = Access(actor)
        self._secrets = tuple(secrets)

    async def record(self, execution: str) -> Recording:
        """One execution as it is now. Raises NotFound, Invalid, Conflict, like every reading of an execution."""
        async with self._database.read(one_moment=True) as session:
            snapshot = await Snapshots(session).find(execution, self._access.visibility, Depth.RECORDING)
            return Recording(__version__, await Recordings(session).complete(snapshot, previous_shown(snapshot)))

    async def file(self, execution: str, *, compress: bool) -> RecordingFile:
        """The recording as a file. Raises Conflict if it contains a secret, such as a key in a brief."""
        recording = await self.record(execution)
        plain = write_recording(recording, compress=False)
        if _holds(plain, self._secrets):
            raise Conflict(
                "This execution contains a key or the database's address from the settings; the file was not written.",
                code="recording_has_secret",
                hint="Remove it from the brief or the answers and run it again; treat the key as compromised.",
            )
        return RecordingFile(recording, write_recording(recording, compress=True) if compress else plain)

    async def replay(self, execution: str) -> ReplayReport:
        """Rebuild every document of the execution from its stored replies and compare."""
        return await replay_recording(await self.record(execution), self._catalog)


def _holds(data: bytes, secrets: Iterable[str]) -> bool:
    """Whether JSON contains a secret, also inside nested JSON text such as a reply.

    Repeated escaping only adds backslashes, so all texts are compared without them.
    """
    bare = _without_backslashes(data)
    written = {json.dumps(secret, ensure_ascii=ascii_)[1:-1] for secret in secrets for ascii_ in (False, True)}
    forms = {_without_backslashes(text.encode("utf-8", "surrogatepass")) for text in written}
    return any(form in bare for form in forms if form)


def _without_backslashes(data: bytes) -> bytes:
    return data.replace(b"\\", b"")


async def replay_recording(recording: Recording, catalog: Catalog) -> ReplayReport:
    """Replay a recording from any source. Raises Invalid if it is inconsistent."""
    try:
        return await Replay(recording, catalog).run()
    except CombineError:
        raise
    except (KeyError, ValueError, TypeError, AssertionError, AttributeError, StopIteration) as error:
        raise Invalid(
            f"The recording is inconsistent: {type(error).__name__}: {error}",
            code="recording_inconsistent",
            hint="Record the execution again: combine record ID --out FILE",
        ) from error
