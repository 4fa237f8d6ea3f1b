"""Recordings of executions on a server; they are replayed here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from combine.cli.remote.client import Client
from combine.cli.remote.inspection import execution_path
from combine.execution.recording import read_recording_file, write_recording
from combine.execution.replay import ReplayReport
from combine.services.replay import RecordingFile, replay_recording
from combine.workflows.catalog import load_catalog


@dataclass(frozen=True, slots=True)
class RemoteReplays:
    client: Client
    workflows_dir: Path | None

    async def file(self, execution: str, *, compress: bool) -> RecordingFile:
        data = (await self.client.send("GET", f"{execution_path(execution)}/recording")).content
        recording = read_recording_file(data, f"the recording of {execution}")
        return RecordingFile(recording, write_recording(recording, compress=True) if compress else data)

    async def replay(self, execution: str) -> ReplayReport:
        """Replayed in this process, with the prompts and schemas of this machine."""
        return await replay_recording(
            (await self.file(execution, compress=False)).recording, load_catalog(self.workflows_dir)
        )
