"""What a provider says of itself: its addresses and its keys, by OpenID Connect Discovery."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from time import monotonic
from typing import Any

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from combine.auth.addresses import is_secure
from combine.auth.id_token import ALGORITHMS
from combine.auth.kept import Kept
from combine.auth.providers import ProviderConfig
from combine.errors import Unavailable

PATIENCE_S = 10.0
"""For one answer as a whole: a provider that sends a byte now and then must not hold up those who wait for it."""
_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_TENANT_ISSUER = re.compile(r"(\w+://[^/]+)/[^/]+/v2\.0")
_SYMMETRIC = "oct"

Client = Callable[[], AbstractAsyncContextManager[httpx2.AsyncClient]]
"""Opens an HTTP client for one errand."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The part of the document that is used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    token_auth_method: str
    algorithms: tuple[str, ...]
    names_issuer: bool
    """It puts ``iss`` into every answer to the browser (RFC 9207)."""
    can_choose_account: bool


class Discovery:
    """One provider's metadata and keys, fetched when they are first needed."""

    def __init__(self, config: ProviderConfig, client: Client, *, clock: Callable[[], float] = monotonic) -> None:
        self._config = config
        self._client = client
        self._metadata = Kept(self._fetch_metadata, clock=clock)
        self._keys = Kept(self._fetch_keys, clock=clock)

    async def metadata(self) -> Metadata:
        """Raises Unavailable."""
        return await self._metadata.get()

    async def keys(self, *, doubted: bool = False) -> KeySet:
        """The keys that sign. ``doubted``: one that is wanted was not among them. Raises Unavailable."""
        return await self._keys.get(doubted=doubted)

    async def _fetch_metadata(self) -> Metadata:
        url = self._config.issuer.rstrip("/") + "/.well-known/openid-configuration"
        return metadata_from(await self._fetch(url), self._config)

    async def _fetch_keys(self) -> KeySet:
        found = await self._fetch((await self.metadata()).jwks_uri)
        listed = found.get("keys")
        keys = [key for one in listed if (key := _key(one))] if isinstance(listed, list) else []
        if not keys:
            raise unavailable(self._config, "it offers no key that could sign")
        return KeySet(keys)

    async def _fetch(self, url: str) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(PATIENCE_S), self._client() as client:
                response = await client.request("GET", url, headers={"Accept": "application/json"}, auth=None)
            response.raise_for_status()
            found = response.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise unavailable(self._config, told(error)) from error
        except ValueError as error:
            raise unavailable(self._config, f"what it sends from {url} is no JSON") from error
        if not isinstance(found, dict):
            raise unavailable(self._config, f"what it sends from {url} is no JSON object")
        return found


def metadata_from(found: Mapping[str, Any], config: ProviderConfig) -> Metadata:
    """The document, checked. Raises Unavailable for one that is somebody else's or cannot be used."""
    issuer = found.get("issuer")
    if not isinstance(issuer, str) or not _same_issuer(issuer, config):
        raise unavailable(config, f"it says that it is {issuer!r}, not {config.issuer!r}")
    urls = {name: found.get(name) for name in (*_NEEDED, "userinfo_endpoint", "end_session_endpoint")}
    bad = [name for name, url in urls.items() if not _usable(url) and (name in _NEEDED or url is not None)]
    if bad:
        raise unavailable(config, f"it offers no https address as {', '.join(bad)}")
    algorithms = tuple(
        one for one in ALGORITHMS if one in _words(found, "id_token_signing_alg_values_supported", "RS256")
    )
    if not algorithms:
        raise unavailable(config, "it signs with no algorithm that is accepted")
    methods = _words(found, "token_endpoint_auth_methods_supported", "client_secret_basic")
    # Preferred where it is offered: there the two sides cannot quote a secret differently.
    method = "client_secret_post" if "client_secret_post" in methods else "client_secret_basic"
    return Metadata(
        issuer=issuer,
        authorization_endpoint=str(urls["authorization_endpoint"]),
        token_endpoint=str(urls["token_endpoint"]),
        jwks_uri=str(urls["jwks_uri"]),
        userinfo_endpoint=urls["userinfo_endpoint"],
        end_session_endpoint=urls["end_session_endpoint"],
        token_auth_method="none" if config.client_secret is None else method,
        algorithms=algorithms,
        names_issuer=found.get("authorization_response_iss_parameter_supported") is True,
        can_choose_account=config.issuer_varies
        or config.only_with_hosted_domain
        or "select_account" in _words(found, "prompt_values_supported", ""),
    )


def unavailable(config: ProviderConfig, reason: str) -> Unavailable:
    """The provider cannot be used at the moment, and why, for whoever runs the server."""
    return Unavailable(
        f"{config.label} cannot be used for signing in: {reason}.",
        code="sign_in_provider_unavailable",
        hint="Try again in a minute, or sign in another way; who is signed in already is not affected.",
    )


def told(error: Exception) -> str:
    """A transport error in words, without query strings."""
    match error:
        case httpx2.HTTPStatusError():
            return f"it answers with {error.response.status_code}"
        case httpx2.TimeoutException() | TimeoutError():
            return "it does not answer in time"
        case httpx2.ConnectError():
            return "no connection to it"
        case _:
            return f"no usable answer ({type(error).__name__})"


def _same_issuer(issuer: str, config: ProviderConfig) -> bool:
    if issuer.rstrip("/") == config.issuer.rstrip("/"):
        return True
    if not config.issuer_varies:
        return False
    theirs, ours = _TENANT_ISSUER.fullmatch(issuer), _TENANT_ISSUER.fullmatch(config.issuer)
    return theirs is not None and ours is not None and theirs[1] == ours[1]


def _usable(url: object) -> bool:
    return isinstance(url, str) and is_secure(url)


def _words(found: Mapping[str, Any], name: str, default: str) -> tuple[str, ...]:
    listed = found.get(name)
    return tuple(one for one in listed if isinstance(one, str)) if isinstance(listed, list) else (default,)


def _key(raw: object) -> Key | None:
    """None for one that is of no use here; a set may hold keys for other purposes and other programs."""
    if not isinstance(raw, dict) or raw.get("use") == "enc" or raw.get("kty") == _SYMMETRIC:
        return None
    try:
        return JWKRegistry.import_key(raw)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
