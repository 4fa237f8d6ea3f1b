"""Turns connection and stream failures into errors that say whether a retry helps and what to do.

Both SDKs use the same HTTP library, so one table serves both. Codes are stable. No message contains a secret: keys and
the credentials of a URL are removed. ``refusals.py`` handles error responses.

The library is imported at the top; only the provider modules import this one, and they are imported when needed.
"""

from __future__ import annotations

import html
import json
import os
import re
import socket
import ssl
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from combine.errors import LLMError, PermanentLLMError, TransientLLMError
from combine.formats import unusable_proxy
from combine.llm.protocol import ProviderHealth

_QUOTED_AT_MOST: Final = 300
_LIKE_A_KEY: Final = re.compile(r"(?<=\bBearer )\S+|\b(?:sk|pk|rk|gsk|xai|key)[-_][\w*.-]{4,}|\bAIza[\w-]{10,}")
_PAGE: Final = re.compile(r"\s*(<\?xml[^>]*>\s*)?<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_BODY_AT_MOST: Final = 16 * 1024 * 1024
UNREADABLE: Final = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What reading a malformed reply raises."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The server, as named in error messages."""

    name: str
    """For people: ``Anthropic``, ``OpenAI-compatible server``."""
    key_variable: str
    base_url_variable: str
    base_url: str | None
    """None: the provider's own."""
    secret: str | None
    """The key, to be removed from the server's messages."""

    def require_usable_url(self) -> None:
        """Raises PermanentLLMError (``base_url_invalid``) unless the base URL is an http or https address."""
        if self.base_url is None:
            return
        try:
            parts = urlsplit(self.base_url)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise base_url_invalid(self)

    def require_usable_certificates(self) -> None:
        """Raises PermanentLLMError (``certificates_unreadable``) if the certificate file is missing or invalid."""
        file = os.environ.get("SSL_CERT_FILE")
        if not file:
            return
        try:
            ssl.create_default_context(cafile=file)
        except OSError as error:
            # an SSL error's text includes a source line
            reason = getattr(error, "reason", None) or error.strerror or str(error)
            raise PermanentLLMError(
                f"The certificates for {self.where()} cannot be read: {reason.lower().replace('_', ' ')}.",
                code="certificates_unreadable",
                hint="SSL_CERT_FILE must point to a file of certificates in PEM format.",
            ) from None

    def require_usable_key(self, *others: str) -> None:
        """Raises PermanentLLMError (``api_key_invalid``) if the key cannot be sent.

        ``others``: environment variables that the SDK sends as headers.
        """
        for variable, value in ((self.key_variable, self.secret), *((name, os.environ.get(name)) for name in others)):
            for position, character in enumerate(value or "", start=1):
                if not "!" <= character <= "~":
                    shown = f"{character!r}, " if character.isprintable() and not character.isspace() else ""
                    raise PermanentLLMError(
                        f"{variable} contains a character that is not valid in a key or an ID "
                        f"({shown}U+{ord(character):04X} at position {position}).",
                        code="api_key_invalid",
                        hint=f"Copy the value again and set {variable} without quotes, spaces or line ends.",
                    )

    def require_usable_proxies(self) -> None:
        """Raises PermanentLLMError (``proxy_invalid``) if the environment names a proxy that cannot be used."""
        found = unusable_proxy()
        if found is not None:
            raise PermanentLLMError(
                f"The proxy in {found[0]} cannot be used for {self.name}: {found[1]}.",
                code="proxy_invalid",
                hint=f"Set {found[0]} to something like http://host:port or socks5://host:port, or unset it.",
            )

    def where(self) -> str:
        """The name with the host, never with credentials. Requires a valid URL."""
        if self.base_url is None:
            return self.name
        parts = urlsplit(self.base_url)
        return f"{self.name} ({parts.hostname}{f':{parts.port}' if parts.port else ''})"

    def quote(self, text: str) -> str:
        """The server's message on one line, shortened, without the key or anything that looks like one."""
        said = text.replace(self.secret, "***") if self.secret else text
        said = _LIKE_A_KEY.sub("***", said)
        said = re.sub(r"://[^/\s@]+@", "://***@", " ".join(said.split()))
        return said if len(said) <= _QUOTED_AT_MOST else said[: _QUOTED_AT_MOST - 1] + "…"


def broken(endpoint: Endpoint, error: Exception, *, streaming: bool) -> LLMError:
    """The error for a connection that failed. ``streaming``: the reply had begun."""
    chain = tuple(_causes(error))
    where = endpoint.where()
    if any(isinstance(one, httpx2.UnsupportedProtocol | httpx2.InvalidURL) for one in chain):
        return base_url_invalid(endpoint)
    if any(isinstance(one, socket.gaierror) for one in chain):
        return TransientLLMError(
            f"The name of {where} cannot be resolved.",
            code="dns_failed",
            hint=f"Check the network and {endpoint.base_url_variable}.",
        )
    if any(isinstance(one, httpx2.TimeoutException | TimeoutError) for one in chain):
        return _timed_out(endpoint, chain, streaming=streaming)
    tls = next((one for one in chain if _is_tls_refusal(one)), None)
    if tls is not None and not streaming:
        return PermanentLLMError(
            f"The TLS connection to {where} failed: {endpoint.quote(str(tls))}.",
            code="tls_failed",
            hint=f"Check {endpoint.base_url_variable} (http or https?) and, behind a company proxy, set SSL_CERT_FILE "
            "to its certificate.",
        )
    if streaming or any(isinstance(one, httpx2.DecodingError) for one in chain):
        return stream_cut(endpoint)
    return TransientLLMError(
        f"Cannot connect to {where}.",
        code="connection_failed",
        hint=f"Check the network, that the server is running, and {endpoint.base_url_variable}.",
    )


def _timed_out(endpoint: Endpoint, chain: tuple[BaseException, ...], *, streaming: bool) -> TransientLLMError:
    if any(isinstance(one, httpx2.ConnectTimeout) for one in chain):
        return TransientLLMError(
            f"The connection to {endpoint.where()} timed out.",
            code="connection_failed",
            hint=f"Check the network and {endpoint.base_url_variable}, or raise COMBINE_LLM_CONNECT_TIMEOUT.",
        )
    hint = "A local model under load can take minutes for its first token: raise COMBINE_LLM_READ_TIMEOUT."
    if streaming:
        return TransientLLMError(
            f"{endpoint.where()} stopped responding in the middle of its reply.", code="stream_stalled", hint=hint
        )
    return TransientLLMError(f"{endpoint.where()} did not respond in time.", code="provider_timeout", hint=hint)


def stream_cut(endpoint: Endpoint) -> TransientLLMError:
    """The reply ended before it was complete."""
    return TransientLLMError(
        f"The reply of {endpoint.where()} was cut off.",
        code="stream_cut",
        hint="Resume the execution later; if it recurs, check for a proxy that closes long connections.",
    )


def stream_corrupt(endpoint: Endpoint) -> TransientLLMError:
    """The stream contains data that is not an event."""
    return TransientLLMError(
        f"The reply of {endpoint.where()} was corrupted in transit.",
        code="stream_corrupt",
        hint="Resume the execution later; if it recurs, the server does not speak the expected protocol.",
    )


async def body_instead_of_stream(endpoint: Endpoint, response: httpx2.Response) -> Mapping[str, Any] | None:
    """The JSON object that a server sent instead of an event stream; None: this is an event stream.

    Raises PermanentLLMError (``protocol_mismatch``) if it is neither.
    """
    content_type = response.headers.get("content-type", "")
    if "event-stream" in content_type:
        return None
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _BODY_AT_MOST:
            break
    try:
        parsed = json.loads(body)
    except UNREADABLE:
        parsed = None
    if isinstance(parsed, list) and parsed:
        # as Google's servers wrap their errors
        parsed = parsed[0]
    if isinstance(parsed, dict):
        return parsed
    kind = endpoint.quote(content_type) or "no content type"
    raise _mismatch(endpoint, f"{kind}, not an event stream", body.decode(errors="replace"))


def not_a_reply(endpoint: Endpoint, body: Mapping[str, Any]) -> PermanentLLMError:
    """The error for a JSON object that is neither a reply nor an error."""
    return _mismatch(endpoint, "JSON that is not a reply", json.dumps(body, default=str))


def _mismatch(endpoint: Endpoint, what: str, body: str) -> PermanentLLMError:
    said = endpoint.quote(page_text(body))
    return PermanentLLMError(
        f"{endpoint.where()} responded with {what}{': ' + said if said else ''}.",
        code="protocol_mismatch",
        hint=f"Check {endpoint.base_url_variable}: it may point to a web page, a login portal or another API.",
    )


def is_page(text: str) -> bool:
    """Whether this is a web page instead of a message."""
    return _PAGE.match(text) is not None


def page_text(text: str) -> str:
    """The title and words of a web page; any other text unchanged."""
    if not is_page(text):
        return text
    plain = re.sub(r"<(script|style)\b.*?</\1\s*>", " ", text, flags=re.IGNORECASE | re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", " ", plain)).strip()


async def health(endpoint: Endpoint, provider: str, models: Awaitable[object], answer: str) -> ProviderHealth:
    """The result of a request for the list of models. ``answer``: what the endpoint does if it succeeds."""
    try:
        await models
    except LLMError as error:
        if error.code != "endpoint_not_found":
            return ProviderHealth(provider, ok=False, message=f"{error.message} {error.hint or ''}".strip())
        answer = "responds but does not list models"
    return ProviderHealth(provider, ok=True, message=f"{endpoint.where()} {answer}.")


def base_url_invalid(endpoint: Endpoint) -> PermanentLLMError:
    """The error for an invalid base URL."""
    return PermanentLLMError(
        f"The base URL for {endpoint.name} is not an http or https address.",
        code="base_url_invalid",
        hint=f"Set {endpoint.base_url_variable} to something like https://host/v1.",
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_tls_refusal(error: BaseException) -> bool:
    """An invalid certificate or protocol; not a handshake that was slow or cut off."""
    passing = (
        ssl.SSLWantReadError,
        ssl.SSLWantWriteError,
        ssl.SSLEOFError,
        ssl.SSLZeroReturnError,
        ssl.SSLSyscallError,
    )
    return isinstance(error, ssl.SSLError) and not isinstance(error, passing)
