"""Documents of a server."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Final

from combine.cli.remote.client import API, Client
from combine.documents.statuses import DocumentStatus
from combine.errors import NotFound
from combine.services.documents import DocumentChanges, DocumentDetail, DocumentExport
from combine.services.views import DocumentView

_MOST: Final = 200  # as many as the service gives without being asked for more
_ID_OR_TYPE: Final = re.compile("[A-Za-z0-9][A-Za-z0-9-]{3,79}")


@dataclass(frozen=True, slots=True)
class RemoteDocuments:
    """See the port."""

    client: Client

    async def list(
        self, project: str | None = None, document_type: str | None = None, status: DocumentStatus | None = None
    ) -> tuple[DocumentView, ...]:
        """See the port."""
        asked = {"project": project, "type": document_type, "status": status}
        return await self.client.page(DocumentView, f"{API}/documents", asked, most=_MOST)

    async def get(self, wanted: str, project: str | None = None, version: int | None = None) -> DocumentDetail:
        """See the port."""
        return await self.client.get(DocumentDetail, _path(wanted), {"project": project, "version": version})

    async def diff(
        self, wanted: str, project: str | None = None, old: int | None = None, new: int | None = None
    ) -> DocumentChanges:
        """See the port."""
        asked = {"project": project, "old": old, "new": new}
        return await self.client.get(DocumentChanges, f"{_path(wanted)}/diff", asked)

    async def export(self, wanted: str, project: str | None = None, version: int | None = None) -> DocumentExport:
        """See the port. Found first, then taken by its id: of a type another version may come to count in between."""
        found = (await self.get(wanted, project, version)).document
        json_text, markdown = await asyncio.gather(self._text(found, "json"), self._text(found, "md"))
        return DocumentExport(found, json_text, markdown)

    async def _text(self, document: DocumentView, form: str) -> str:
        path = f"{API}/documents/{document.id}/export"
        return (await self.client.send("GET", path, params={"format": form})).content.decode()


def _path(wanted: str) -> str:
    if not _ID_OR_TYPE.fullmatch(wanted):
        raise NotFound(
            f"There is no document {wanted!r}.",
            code="document_not_found",
            hint="`combine docs list` shows what there is.",
        )
    return f"{API}/documents/{wanted}"
