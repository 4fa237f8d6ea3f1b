"""Replies that the database cannot take are kept on the disk of this machine until it can.

A reply that has arrived has been paid for, so nothing may lose it: not a database that is full, read-only or gone, and
not the end of this process. A reply that is not stored after a moment is written to a file as well. Whichever process
of this machine finds the file later stores it, before it takes over any work.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel

from combine.errors import CombineError
from combine.records import Call
from combine.storage.core.database import Database, WriteSession
from combine.storage.hot.journal import Journal

KEEP_AFTER_S = 1.0
"""How long the database may take before the reply is written to a file as well."""

log = logging.getLogger("combine.execution")


class _File(BaseModel, ser_json_bytes="base64", val_json_bytes="base64"):
    call: Call
    """Without its texts."""
    reply: bytes | None


class KeptReplies:
    """Stores the replies of one process, and those that earlier processes of this machine have kept."""

    def __init__(self, database: Database, folder: Path | None) -> None:
        """``folder``: for the files, made when it is needed. None: nothing is kept on disk."""
        self._database = database
        self._folder = folder
        self._storing: set[UUID] = set()
        self._unsaved: set[UUID] = set()
        self._warned: set[UUID] = set()

    def any_unsaved(self) -> bool:
        """Whether a reply is in the memory of this process only."""
        return bool(self._unsaved)

    async def store(self, call: Call) -> None:
        """Store a reply, for as long as the database cannot store it.

        If cancelled, it still waits; if cancelled again, it leaves the file, but never a reply that is nowhere else.
        """
        self._storing.add(call.id)
        self._unsaved.add(call.id)
        storing = asyncio.create_task(self._close(call, forever=True))
        try:
            await self._wait(storing, call)
        except BaseException:
            if not storing.done() or storing.cancelled() or storing.exception():
                storing.cancel()
                if call.id in self._unsaved:
                    self._keep(call)
            raise
        finally:
            self._storing.discard(call.id)
            self._unsaved.discard(call.id)
            self._warned.discard(call.id)

    async def _wait(self, storing: asyncio.Task[None], call: Call) -> None:
        cancelled: asyncio.CancelledError | None = None
        while not storing.done():
            try:
                await asyncio.wait({storing}, timeout=KEEP_AFTER_S)
            except asyncio.CancelledError as error:
                if cancelled is not None and call.id not in self._unsaved:
                    raise
                cancelled = error
            if not storing.done() and call.id in self._unsaved:
                self._keep(call)
        storing.result()
        if call.id not in self._unsaved:
            self._drop(self._path(call.id))
        if cancelled is not None:
            raise cancelled

    async def take_in(self) -> None:
        """Store the replies that processes of this machine have left. Those of another database stay.

        Raises DatabaseUnavailable.
        """
        for path in sorted(self._folder.glob("*.json")) if self._folder is not None else ():
            try:
                await self._take(path)
            except CombineError:
                raise
            except Exception as error:  # noqa: BLE001 - one file must not stop the others, nor the recovery
                log.warning("cannot store the kept reply %s: %s", path, error)

    async def _take(self, path: Path) -> None:
        try:
            call = _read(path)
        except FileNotFoundError:  # another process was faster
            return
        if call.id not in self._storing and await self._is_ours(call.id):
            await self._close(call)
            self._drop(path)

    async def _is_ours(self, call_id: UUID) -> bool:
        return await self._database.once(lambda session: Journal(session).knows_call(call_id))

    async def _close(self, call: Call, *, forever: bool = False) -> None:
        async def work(session: WriteSession) -> None:
            await Journal(session).close_call(call)

        if forever:
            await self._database.once(work, give_up_after=None, full_disk=True)
        else:
            await self._database.once(work)

    def _keep(self, call: Call) -> None:
        """Write the file. If that fails, the reply stays unsaved."""
        if self._folder is None:
            return
        path = self._path(call.id)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, call)
        except (OSError, ValueError) as error:
            if call.id not in self._warned:
                log.warning("cannot keep the reply of call %s on disk: %s", call.id, error)
            self._warned.add(call.id)
            return
        self._unsaved.discard(call.id)
        log.warning("the database cannot store the reply of call %s; it is kept in %s", call.id, path)

    def _drop(self, path: Path) -> None:
        log.info("stored the reply that was kept in %s", path)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:  # storing it again changes nothing
            log.warning("cannot remove %s: %s", path, error)

    def _path(self, call_id: UUID) -> Path:
        assert self._folder is not None
        return self._folder / f"{call_id}.json"


def _read(path: Path) -> Call:
    file = _File.model_validate_json(path.read_bytes())
    return replace(file.call, reply=None if file.reply is None else file.reply.decode("utf-8", "surrogatepass"))


def _write(path: Path, call: Call) -> None:
    """All of the file or nothing, on the disk when this returns."""
    reply = None if call.reply is None else call.reply.encode("utf-8", "surrogatepass")
    content = _File(call=replace(call, prompt=None, input=None, reply=None), reply=reply)
    handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
