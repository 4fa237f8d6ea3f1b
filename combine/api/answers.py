"""Bodies of successful responses: views written straight to JSON, ETags, and rendered pages kept in memory."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from functools import lru_cache
from typing import Any, Final

from fastapi import Request, Response
from pydantic import TypeAdapter

from combine.services.views import DocumentExport

_JSON: Final = "application/json"
_MAX_PAGE_BYTES: Final = 8 * 2**20


@lru_cache(maxsize=64)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def answer(kind: Any, value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """``value`` as JSON. ``kind`` is its type, the same as the route's ``response_model``."""
    return Response(_adapter(kind).dump_json(value), status, headers, _JSON)


def tag_of(content: bytes) -> str:
    """A weak ETag, because the same content may also be sent compressed."""
    return f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'


def unchanged(request: Request, tag: str, headers: dict[str, str] | None = None) -> Response | None:
    """304 if the client already has the content with this ETag, else None."""
    known = [one.strip() for one in request.headers.get("if-none-match", "").split(",")]
    if "*" in known or tag in known or tag.removeprefix("W/") in known:
        return Response(None, 304, _cache_headers(tag, headers))
    return None


def tagged_answer(tag: str, content: bytes, media_type: str, headers: dict[str, str] | None = None) -> Response:
    """``content`` with an ETag computed by the caller."""
    return Response(content, 200, _cache_headers(tag, headers), media_type)


def cached_answer(request: Request, content: bytes, media_type: str, headers: dict[str, str] | None = None) -> Response:
    """``content`` with its ETag, or 304 if the client already has it."""
    tag = tag_of(content)
    return unchanged(request, tag, headers) or tagged_answer(tag, content, media_type, headers)


def cached_view(request: Request, kind: Any, value: object) -> Response:
    """A view as JSON with its ETag, or 304 if the client already has it."""
    return cached_answer(request, _adapter(kind).dump_json(value), _JSON)


class RenderedPages:
    """A bounded LRU cache of HTML pages. The key is what a page was rendered from, so entries are never stale.

    Access is checked by the caller, before the lookup.
    """

    def __init__(self, *, max_bytes: int = _MAX_PAGE_BYTES) -> None:
        self._max = max_bytes
        self._bytes = 0
        self._pages: OrderedDict[str, bytes] = OrderedDict()

    async def page(self, export: DocumentExport) -> bytes:
        """The page of a document, rendered in a thread if it is not in the cache."""
        key = export.html_key
        found = self._pages.get(key)
        if found is None:
            found = await asyncio.to_thread(_render, export)  # some documents take seconds
            self._keep(key, found)
        else:
            self._pages.move_to_end(key)
        return found

    def _keep(self, key: str, page: bytes) -> None:
        if len(page) > self._max:
            return  # it would evict everything else and then itself
        self._bytes += len(page) - len(self._pages.pop(key, b""))  # two requests may have rendered the same page
        self._pages[key] = page
        while self._bytes > self._max:
            self._bytes -= len(self._pages.popitem(last=False)[1])


def _render(export: DocumentExport) -> bytes:
    return export.html.encode()


def _cache_headers(tag: str, headers: dict[str, str] | None) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": "private, no-cache", **(headers or {})}
