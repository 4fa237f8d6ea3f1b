"""Requests to a server: retried where that is safe; responses become views, and errors become exceptions."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar, cast

import httpx2
from pydantic import TypeAdapter, ValidationError

from combine import __version__
from combine.cli.remote.address import Address
from combine.cli.remote.errors import error_from_response, incompatible
from combine.errors import CombineError, Invalid, Unavailable
from combine.formats import retry_after_s, unusable_proxy

T = TypeVar("T")
Params = Mapping[str, str | int | None]
"""Query parameters; those that are None are omitted."""

API: Final = "/api/v1"
PAUSES_S: Final = (0.3, 0.7, 1.5)
"""Between the attempts of one request."""
MAX_PAUSE_S: Final = 5.0
"""Even if Retry-After asks for more."""
CONNECT_TIMEOUT_S: Final = 5.0
RESPONSE_TIMEOUT_S: Final = 60.0
"""Longer than the timeout of the server itself."""
_PAGE_SIZE: Final = 200
_UNAVAILABLE: Final = frozenset({502, 503, 504})
_CERTIFICATES: Final = "SSL_CERT_FILE"
_NEVER_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list."""

    items: tuple[T, ...]
    next_cursor: str | None


@lru_cache(maxsize=64)
def _reader(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


class Client:
    """A connection pool for one server and one token."""

    def __init__(self, server: Address, http: httpx2.AsyncClient) -> None:
        self.server = server
        self._http = http

    async def get(self, kind: type[T], path: str, params: Params | None = None) -> T:
        """Get a resource as a view."""
        return self._read(kind, await self.send("GET", path, params=params))

    async def get_list(
        self, kind: type[T], path: str, params: Params | None = None, *, limit: int | None = None
    ) -> tuple[T, ...]:
        """All items of a list, or the first ``limit``, from as many pages as needed."""
        found: list[T] = []
        cursor: str | None = None
        while limit is None or len(found) < limit:
            size = _PAGE_SIZE if limit is None else min(_PAGE_SIZE, limit - len(found))
            query = {**(params or {}), "limit": size, "cursor": cursor}
            page: Page[T] = await self.get(Page[kind], path, query)  # type: ignore[valid-type] # built at run time
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        return tuple(found)

    async def post(
        self, kind: type[T], path: str, body: Mapping[str, Any], *, retry: bool = False, key: str | None = None
    ) -> T:
        """Post a request. ``retry``: it is idempotent; ``key``: makes it idempotent."""
        headers = {} if key is None else {"Idempotency-Key": key}
        response = await self.send("POST", path, body=body, headers=headers, retry=retry or key is not None)
        return self._read(kind, response)

    async def patch(self, kind: type[T], path: str, body: Mapping[str, Any]) -> T:
        """Change a resource."""
        return self._read(kind, await self.send("PATCH", path, body=body, retry=True))

    async def delete(self, kind: type[T], path: str) -> T:
        """Delete a resource."""
        return self._read(kind, await self.send("DELETE", path, retry=True))

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        retry: bool | None = None,
    ) -> httpx2.Response:
        """The successful response. Raises the error that another response stands for.

        ``retry``: whether the request may be sent again; by default only GET. If it was never sent, it always is.
        """
        retry = method == "GET" if retry is None else retry
        for pause in (*PAUSES_S, None):
            failure: CombineError
            try:
                response = await self._http.request(method, path, params=_given(params), json=body, headers=headers)
            except (httpx2.InvalidURL, UnicodeEncodeError):
                raise Invalid(
                    "Cannot send the arguments to a server: they are too long or not valid UTF-8.", code="unsendable"
                ) from None
            except httpx2.HTTPError as error:
                failure, waited = self.connection_error(error, maybe_done=not retry), 0.0
                if _is_permanent(error) or not (retry or isinstance(error, _NEVER_SENT)):
                    raise failure from None
            else:
                if response.is_success:
                    return response
                failure, waited = self.response_error(response), retry_after_s(response.headers) or 0.0
                if response.status_code not in _UNAVAILABLE or not retry:
                    raise failure
            if pause is None:
                raise failure
            await asyncio.sleep(min(max(pause, waited), MAX_PAUSE_S))
        raise AssertionError  # the last attempt returns or raises

    @asynccontextmanager
    async def stream(
        self, path: str, headers: Mapping[str, str], read_timeout_s: float
    ) -> AsyncIterator[httpx2.Response]:
        """A streamed response. Never retried; breaks off if nothing arrives for ``read_timeout_s``."""
        timeout = httpx2.Timeout(RESPONSE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S, read=read_timeout_s)
        async with self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
            if not response.is_success:
                await response.aread()
                raise self.response_error(response)
            yield response

    def response_error(self, response: httpx2.Response) -> CombineError:
        """The error of an unsuccessful response."""
        location, pause = response.headers.get("location"), retry_after_s(response.headers)
        return error_from_response(str(self.server), response.status_code, response.content, pause, location)

    def connection_error(self, error: httpx2.HTTPError, *, maybe_done: bool = False) -> Unavailable:
        """The error for a missing or incomplete response."""
        if isinstance(error, _NEVER_SENT):
            return _unreachable(self.server, error)
        why = "timed out" if isinstance(error, httpx2.TimeoutException) else "connection lost"
        hint = "The request may still have succeeded; check before you retry it." if maybe_done else "Try again."
        return Unavailable(f"No response from the server at {self.server}: {why}.", code="server_cut", hint=hint)

    def read(self, kind: type[T], data: bytes, path: str) -> T:
        """Parse JSON into a view. Raises CombineError."""
        try:
            value: T = _reader(cast("Hashable", kind)).validate_json(data)
        except ValidationError:
            raise incompatible(str(self.server), f"invalid format at {path}") from None
        return value

    def _read(self, kind: type[T], response: httpx2.Response) -> T:
        return self.read(kind, response.content, response.request.url.path)


@asynccontextmanager
async def open_client(server: Address, token: str | None) -> AsyncIterator[Client]:
    """Open a client, unauthenticated without a token. Raises Invalid for an invalid certificate file or proxy."""
    headers = {"User-Agent": f"combine/{__version__}", "Accept": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    timeout = httpx2.Timeout(RESPONSE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    proxy = unusable_proxy() if server.https else None
    if proxy is not None:
        raise Invalid(
            f"The proxy in {proxy[0]} cannot be used: {proxy[1]}.",
            code="proxy_invalid",
            hint=f"Set {proxy[0]} to something like http://host:port or socks5://host:port, or unset it.",
        )
    try:
        # A proxy from the environment could read a token sent over plain http; over https it cannot.
        opened = httpx2.AsyncClient(
            base_url=server.url, headers=headers, timeout=timeout, follow_redirects=False, trust_env=server.https
        )
    except OSError as error:
        raise Invalid(
            f"Cannot read the certificates in {os.environ.get(_CERTIFICATES)}: {_reason(error)}.",
            code="certificates_unreadable",
            hint=f"Set {_CERTIFICATES} to a file of certificates in PEM format.",
        ) from None
    async with opened as http:
        yield Client(server, http)


def _unreachable(server: Address, error: Exception) -> Unavailable:
    """The error if no connection could be made, so that nothing was sent."""
    cause = _cause(error)
    if isinstance(cause, socket.gaierror):
        why, hint = "host not found", "Check the address."
    elif isinstance(cause, ssl.SSLCertVerificationError):
        why = f"its certificate is not trusted: {cause.verify_message}"
        hint = f"If your own certificate authority signed it, set {_CERTIFICATES} to a PEM file with its certificate."
    elif isinstance(cause, ssl.SSLError):
        why = f"TLS failed: {_reason(cause)}"
        hint = "Check the port. Plain http is allowed only for this machine."
    elif isinstance(error, httpx2.TimeoutException):
        why, hint = f"no connection within {CONNECT_TIMEOUT_S:g} s", "Check the address and the firewall."
    else:
        number = getattr(cause, "errno", None)
        why = os.strerror(number).lower() if number else "no connection"
        hint = "Check the address, and that `combine serve` is running there."
    return Unavailable(f"Cannot connect to {server}: {why}.", code="server_unreachable", hint=hint)


def _reason(error: OSError) -> str:
    """The message of TLS or the operating system, without the position in their code."""
    reason = getattr(error, "reason", None) or error.strerror or str(error)
    return str(reason).lower().replace("_", " ")


def _is_permanent(error: Exception) -> bool:
    """Whether a retry is pointless."""
    cause = _cause(error)
    unknown_host = isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME
    return unknown_host or isinstance(cause, ssl.SSLCertVerificationError)


def _cause(error: BaseException) -> BaseException:
    """The original error of the operating system or TLS."""
    cause, seen = error, error.__cause__ or error.__context__
    while seen is not None:
        if isinstance(seen, OSError):
            cause = seen
        seen = seen.__cause__ or seen.__context__
    return cause


def _given(params: Params | None) -> dict[str, str | int]:
    return {name: value for name, value in (params or {}).items() if value is not None}
