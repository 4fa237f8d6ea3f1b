"""A provider's metadata and keys, by OpenID Connect Discovery, cached."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Generic, TypeVar

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from combine.auth.addresses import is_secure
from combine.auth.id_token import ALGORITHMS
from combine.auth.providers import ProviderConfig
from combine.errors import Unavailable

_T = TypeVar("_T")

RESPONSE_TIMEOUT_S = 10.0
"""For one whole response: a provider that sends a byte now and then must not keep callers waiting."""
CACHE_LIFETIME_S = 3600.0
REFRESH_INTERVAL_S = 30.0
"""Minimum time between two fetches of a value that a caller believes to be stale."""
FAILURE_INTERVAL_S = 3.0
"""For this long after a failed fetch, callers get the same failure at once instead of waiting for the provider."""
_REQUIRED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_OPTIONAL = ("userinfo_endpoint", "end_session_endpoint")
_TENANT_ISSUER = re.compile(r"(\w+://[^/]+)/[^/]+/v2\.0")
_SYMMETRIC = "oct"

OpenHttpClient = Callable[[], AbstractAsyncContextManager[httpx2.AsyncClient]]
"""Opens an HTTP client for one request."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The fields of the discovery document that are used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    token_auth_method: str
    algorithms: tuple[str, ...]
    sends_issuer: bool
    """The provider adds ``iss`` to every authorization response (RFC 9207)."""
    can_choose_account: bool


class Cached(Generic[_T]):
    """A value fetched from elsewhere, with one fetch at a time. Belongs to one event loop."""

    def __init__(self, fetch: Callable[[], Awaitable[_T]], *, clock: Callable[[], float] = monotonic) -> None:
        """``fetch`` raises Unavailable if it fails."""
        self._fetch = fetch
        self._clock = clock
        self._lock = asyncio.Lock()
        self._value: _T | None = None
        self._fetched_at = 0.0
        self._failure: Unavailable | None = None
        self._failed_at = 0.0

    async def get(self, *, maybe_stale: bool = False) -> _T:
        """The value. ``maybe_stale``: fetch it again unless that was done just now. Raises Unavailable."""
        async with self._lock:
            now = self._clock()
            lifetime = REFRESH_INTERVAL_S if maybe_stale else CACHE_LIFETIME_S
            if self._value is not None and now - self._fetched_at < lifetime:
                return self._value
            if self._failure is not None and now - self._failed_at < FAILURE_INTERVAL_S:
                raise Unavailable(self._failure.message, code=self._failure.code, hint=self._failure.hint)
            try:
                self._value = await self._fetch()
            except Unavailable as error:
                self._failure, self._failed_at = error, self._clock()
                raise
            self._failure, self._fetched_at = None, self._clock()
            return self._value


class Discovery:
    """One provider's metadata and keys, fetched when first needed."""

    def __init__(
        self, config: ProviderConfig, client: OpenHttpClient, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._config = config
        self._client = client
        self._metadata = Cached(self._fetch_metadata, clock=clock)
        self._keys = Cached(self._fetch_keys, clock=clock)

    async def metadata(self) -> Metadata:
        """Raises Unavailable."""
        return await self._metadata.get()

    async def keys(self, *, maybe_stale: bool = False) -> KeySet:
        """The provider's signing keys. ``maybe_stale``: a key was not among them. Raises Unavailable."""
        return await self._keys.get(maybe_stale=maybe_stale)

    async def _fetch_metadata(self) -> Metadata:
        url = self._config.issuer.rstrip("/") + "/.well-known/openid-configuration"
        return metadata_from(await self._fetch(url), self._config)

    async def _fetch_keys(self) -> KeySet:
        found = await self._fetch((await self.metadata()).jwks_uri)
        listed = found.get("keys")
        keys = [key for one in listed if (key := _key(one))] if isinstance(listed, list) else []
        if not keys:
            raise unavailable(self._config, "it publishes no usable signing key")
        return KeySet(keys)

    async def _fetch(self, url: str) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT_S), self._client() as client:
                response = await client.request("GET", url, headers={"Accept": "application/json"}, auth=None)
            response.raise_for_status()
            found = response.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise unavailable(self._config, transport_error(error)) from error
        except ValueError as error:
            raise unavailable(self._config, f"the response from {url} is not JSON") from error
        if not isinstance(found, dict):
            raise unavailable(self._config, f"the response from {url} is not a JSON object")
        return found


def metadata_from(found: Mapping[str, Any], config: ProviderConfig) -> Metadata:
    """The validated document. Raises Unavailable if it has another issuer or is unusable."""
    issuer = found.get("issuer")
    if not isinstance(issuer, str) or not _same_issuer(issuer, config):
        raise unavailable(config, f"its issuer is {issuer!r}, not {config.issuer!r}")
    urls = _urls(found, config)
    algorithms = tuple(
        one for one in ALGORITHMS if one in _words(found, "id_token_signing_alg_values_supported", "RS256")
    )
    if not algorithms:
        raise unavailable(config, "it supports no accepted signing algorithm")
    methods = _words(found, "token_endpoint_auth_methods_supported", "client_secret_basic")
    # Preferred if supported: with basic authentication, the two sides may encode a secret differently.
    method = "client_secret_post" if "client_secret_post" in methods else "client_secret_basic"
    return Metadata(
        issuer=issuer,
        authorization_endpoint=urls["authorization_endpoint"],
        token_endpoint=urls["token_endpoint"],
        jwks_uri=urls["jwks_uri"],
        userinfo_endpoint=urls.get("userinfo_endpoint"),
        end_session_endpoint=urls.get("end_session_endpoint"),
        token_auth_method="none" if config.client_secret is None else method,
        algorithms=algorithms,
        sends_issuer=found.get("authorization_response_iss_parameter_supported") is True,
        can_choose_account=config.issuer_varies
        or config.only_with_hosted_domain
        or "select_account" in _words(found, "prompt_values_supported", ""),
    )


def unavailable(config: ProviderConfig, reason: str) -> Unavailable:
    """The provider cannot be used at the moment; the reason is for the operator of this server."""
    return Unavailable(
        f"Sign-in with {config.label} is unavailable: {reason}.",
        code="sign_in_provider_unavailable",
        hint="Try again in a minute, or sign in another way. Existing sessions are not affected.",
    )


def transport_error(error: Exception) -> str:
    """A transport error as a clause, without query strings."""
    match error:
        case httpx2.HTTPStatusError():
            return f"it responded with status {error.response.status_code}"
        case httpx2.TimeoutException() | TimeoutError():
            return "it did not respond in time"
        case httpx2.ConnectError():
            return "it cannot be reached"
        case _:
            return f"the request failed ({type(error).__name__})"


def _same_issuer(issuer: str, config: ProviderConfig) -> bool:
    if issuer.rstrip("/") == config.issuer.rstrip("/"):
        return True
    if not config.issuer_varies:
        return False
    theirs, ours = _TENANT_ISSUER.fullmatch(issuer), _TENANT_ISSUER.fullmatch(config.issuer)
    return theirs is not None and ours is not None and theirs[1] == ours[1]


def _urls(found: Mapping[str, Any], config: ProviderConfig) -> dict[str, str]:
    """The endpoints by name. Raises Unavailable if a required one is missing or any is not secure."""
    given = {name: found.get(name) for name in (*_REQUIRED, *_OPTIONAL)}
    urls = {name: url for name, url in given.items() if isinstance(url, str) and is_secure(url)}
    bad = [name for name, url in given.items() if name not in urls and (name in _REQUIRED or url is not None)]
    if bad:
        raise unavailable(config, f"it publishes no https URL as {', '.join(bad)}")
    return urls


def _words(found: Mapping[str, Any], name: str, default: str) -> tuple[str, ...]:
    listed = found.get(name)
    return tuple(one for one in listed if isinstance(one, str)) if isinstance(listed, list) else (default,)


def _key(raw: object) -> Key | None:
    """None for a key that is for another purpose or of an unknown kind; a set may contain such keys."""
    if not isinstance(raw, dict) or raw.get("use") == "enc" or raw.get("kty") == _SYMMETRIC:
        return None
    try:
        return JWKRegistry.import_key(raw)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
