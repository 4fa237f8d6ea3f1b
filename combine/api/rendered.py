"""Pages that have been made already. Who may see one is asked before it is looked for here."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

from combine.services.documents import DocumentExport

_MOST_BYTES: Final = 8 * 2**20


class RenderedPages:
    """HTML by what it was made from, so that it is never out of date; those asked for last, within some bytes."""

    def __init__(self, *, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._pages: OrderedDict[str, bytes] = OrderedDict()

    async def page(self, export: DocumentExport) -> bytes:
        """The page of a document."""
        key = export.html_key
        found = self._pages.get(key)
        if found is None:
            found = await asyncio.to_thread(_made, export)  # beside the loop: some texts take seconds
            self._keep(key, found)
        else:
            self._pages.move_to_end(key)
        return found

    def _keep(self, key: str, page: bytes) -> None:
        if len(page) > self._most:
            return  # all others would go, and it as well
        self._bytes += len(page) - len(self._pages.pop(key, b""))  # two may have made the same
        self._pages[key] = page
        while self._bytes > self._most:
            self._bytes -= len(self._pages.popitem(last=False)[1])


def _made(export: DocumentExport) -> bytes:
    return export.html.encode()
