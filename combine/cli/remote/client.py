"""Requests to one server: sent again where that is safe, answers as views, refusals as errors."""

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
from combine.cli.remote.refusals import refusal, unlike
from combine.errors import CombineError, Invalid, Unavailable
from combine.formats import retry_after_s

T = TypeVar("T")
Params = Mapping[str, str | int | None]
"""Of a URL; those that are None are left out."""

API: Final = "/api/v1"
PAUSES_S: Final = (0.3, 0.7, 1.5)
"""Between the tries of one request."""
LONGEST_PAUSE_S: Final = 5.0
"""Whatever Retry-After asks for."""
CONNECT_S: Final = 5.0
ANSWER_S: Final = 60.0
"""Longer than the server allows itself."""
_MOST_ON_A_PAGE: Final = 200
_AWAY: Final = frozenset({502, 503, 504})
_CERTIFICATES: Final = "SSL_CERT_FILE"
_NEVER_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list."""

    items: tuple[T, ...]
    next_cursor: str | None


@lru_cache(maxsize=64)
def _reader(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


class Client:
    """One server, one token, one pool of connections."""

    def __init__(self, server: Address, http: httpx2.AsyncClient) -> None:
        self.server = server
        self._http = http

    async def get(self, kind: type[T], path: str, params: Params | None = None) -> T:
        """What is there, as a view."""
        return self._read(kind, await self.send("GET", path, params=params))

    async def page(
        self, kind: type[T], path: str, params: Params | None = None, *, most: int | None = None
    ) -> tuple[T, ...]:
        """A whole list, or its first ``most`` items, however many pages that takes."""
        found: list[T] = []
        cursor: str | None = None
        while most is None or len(found) < most:
            limit = _MOST_ON_A_PAGE if most is None else min(_MOST_ON_A_PAGE, most - len(found))
            asked = {**(params or {}), "limit": limit, "cursor": cursor}
            page: Page[T] = await self.get(Page[kind], path, asked)  # type: ignore[valid-type] # made at run time
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        return tuple(found)

    async def post(
        self, kind: type[T], path: str, body: Mapping[str, Any], *, again: bool = False, key: str | None = None
    ) -> T:
        """Have something done. ``again``: doing it twice is as doing it once; ``key`` makes it so."""
        headers = {} if key is None else {"Idempotency-Key": key}
        response = await self.send("POST", path, body=body, headers=headers, again=again or key is not None)
        return self._read(kind, response)

    async def patch(self, kind: type[T], path: str, body: Mapping[str, Any]) -> T:
        """Set something."""
        return self._read(kind, await self.send("PATCH", path, body=body, again=True))

    async def delete(self, kind: type[T], path: str) -> T:
        """Take something away."""
        return self._read(kind, await self.send("DELETE", path, again=True))

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        again: bool | None = None,
    ) -> httpx2.Response:
        """The response, if it is a yes. Raises the error that a no stands for.

        ``again``: it may be sent twice. What never left is always sent again.
        """
        again = method == "GET" if again is None else again
        for pause in (*PAUSES_S, None):
            failure: CombineError
            try:
                response = await self._http.request(method, path, params=_given(params), json=body, headers=headers)
            except (httpx2.InvalidURL, UnicodeEncodeError):
                raise Invalid(
                    "What is given cannot be sent to a server: it is too long, or it is no text.", code="unsendable"
                ) from None
            except httpx2.HTTPError as error:
                failure, waited = self.broken(error, perhaps_done=not again), 0.0
                if _for_good(error) or not (again or isinstance(error, _NEVER_SENT)):
                    raise failure from None
            else:
                if response.is_success:
                    return response
                failure, waited = self.refused(response), retry_after_s(response.headers) or 0.0
                if response.status_code not in _AWAY or not again:
                    raise failure
            if pause is None:
                raise failure
            await asyncio.sleep(min(max(pause, waited), LONGEST_PAUSE_S))
        raise AssertionError  # the last pause has no end

    @asynccontextmanager
    async def stream(self, path: str, headers: Mapping[str, str], silence_s: float) -> AsyncIterator[httpx2.Response]:
        """A response whose body comes as it happens; once, and with no more silence than that."""
        timeout = httpx2.Timeout(ANSWER_S, connect=CONNECT_S, read=silence_s)
        async with self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
            if not response.is_success:
                await response.aread()
                raise self.refused(response)
            yield response

    def refused(self, response: httpx2.Response) -> CombineError:
        """The error that a response stands for."""
        where = response.headers.get("location")
        return refusal(str(self.server), response.status_code, response.content, retry_after_s(response.headers), where)

    def broken(self, error: httpx2.HTTPError, *, perhaps_done: bool = False) -> Unavailable:
        """No answer, or no whole one."""
        if isinstance(error, _NEVER_SENT):
            return _unreachable(self.server, error)
        slow = isinstance(error, httpx2.TimeoutException)
        how = "it took too long" if slow else "the connection broke off"
        hint = "It may have been done nevertheless: look before you do it again." if perhaps_done else "Try again."
        return Unavailable(f"The server at {self.server} did not answer: {how}.", code="server_cut", hint=hint)

    def read(self, kind: type[T], data: bytes, path: str) -> T:
        """JSON as a view. Raises CombineError."""
        try:
            value: T = _reader(cast("Hashable", kind)).validate_json(data)
        except ValidationError:
            raise unlike(str(self.server), f"what it says at {path} has another form") from None
        return value

    def _read(self, kind: type[T], response: httpx2.Response) -> T:
        return self.read(kind, response.content, response.request.url.path)


@asynccontextmanager
async def open_client(server: Address, token: str | None) -> AsyncIterator[Client]:
    """A client; without a token it asks as nobody. Raises Invalid for a file of certificates that is none."""
    headers = {"User-Agent": f"combine/{__version__}", "Accept": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    timeout = httpx2.Timeout(ANSWER_S, connect=CONNECT_S)
    try:
        # A proxy of the environment would read a token that goes over plain http; over https it sees nothing.
        made = httpx2.AsyncClient(
            base_url=server.url, headers=headers, timeout=timeout, follow_redirects=False, trust_env=server.https
        )
    except OSError as error:
        raise Invalid(
            f"The certificates in {os.environ.get(_CERTIFICATES)} cannot be read: {_words(error)}.",
            code="certificates_unreadable",
            hint=f"{_CERTIFICATES} names it: a file of certificates in PEM.",
        ) from None
    async with made as http:
        yield Client(server, http)


def _unreachable(server: Address, error: Exception) -> Unavailable:
    """Nothing was sent, as there is no connection."""
    cause = _cause(error)
    if isinstance(cause, socket.gaierror):
        why, hint = "there is no such host", "Check the address."
    elif isinstance(cause, ssl.SSLCertVerificationError):
        why = f"its certificate is not trusted: {cause.verify_message}"
        hint = (
            f"If it is signed by an authority of your own, name that one's certificate in {_CERTIFICATES}: a PEM file."
        )
    elif isinstance(cause, ssl.SSLError):
        why = f"no TLS with it: {_words(cause)}"
        hint = "Check the port. Plain http is for this machine only."
    elif isinstance(error, httpx2.TimeoutException):
        why, hint = f"no connection within {CONNECT_S:g} s", "Check the address, and that a firewall lets you through."
    else:
        number = getattr(cause, "errno", None)
        why = os.strerror(number).lower() if number else "no connection"
        hint = "Check the address, and that `combine serve` runs there."
    return Unavailable(f"{server} cannot be reached: {why}.", code="server_unreachable", hint=hint)


def _words(error: OSError) -> str:
    """What TLS or the operating system says, without the place in their code."""
    reason = getattr(error, "reason", None) or error.strerror or str(error)
    return str(reason).lower().replace("_", " ")


def _for_good(error: Exception) -> bool:
    """Whether trying again does not mend it."""
    cause = _cause(error)
    no_such_host = isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME
    return no_such_host or isinstance(cause, ssl.SSLCertVerificationError)


def _cause(error: BaseException) -> BaseException:
    """What began it, as the operating system or TLS tells it."""
    cause, seen = error, error.__cause__ or error.__context__
    while seen is not None:
        if isinstance(seen, OSError):
            cause = seen
        seen = seen.__cause__ or seen.__context__
    return cause


def _given(params: Params | None) -> dict[str, str | int]:
    return {name: value for name, value in (params or {}).items() if value is not None}
