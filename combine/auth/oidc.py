"""Sign-in with OpenID Connect (authorization code with PKCE)."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import httpx2
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]

from combine.auth.discovery import RESPONSE_TIMEOUT_S, Discovery, Metadata, transport_error, unavailable
from combine.auth.id_token import ABOUT_EMAIL, ExpectedClaims, UnknownKey, person, verify
from combine.auth.providers import Person, ProviderConfig, SignInAttempt
from combine.errors import Invalid, NotPermitted, NotSignedIn, Unavailable

TIMEOUT_S = 5.0
_MAX_CODE = 4096
_WORD = re.compile(r"[a-z_]{1,64}")
_OUR_FAULT = frozenset({"invalid_client", "unauthorized_client"})


class OidcClient:
    """The client of one provider; implements ``SignInProvider``."""

    def __init__(
        self,
        config: ProviderConfig,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.config = config
        self._now = now
        self._tls: ssl.SSLContext | None = None
        self._discovery = Discovery(config, self._plain_client, clock=clock)

    async def authorization_url(self, attempt: SignInAttempt, state: str, *, choose_account: bool = False) -> str:
        """Implements ``SignInProvider``."""
        metadata = await self._discovery.metadata()
        more = {"prompt": "select_account"} if choose_account and metadata.can_choose_account else {}
        async with self._client(metadata) as client:
            url, _ = client.create_authorization_url(
                metadata.authorization_endpoint,
                state=state,
                code_verifier=attempt.code_verifier,
                redirect_uri=attempt.redirect_uri,
                nonce=attempt.nonce,
                **more,
            )
        return str(url)

    def refusal(self, word: str) -> NotPermitted | Invalid:
        """Implements ``SignInProvider``."""
        if word == "access_denied":
            return NotPermitted(
                f"The sign-in was cancelled or denied at {self.config.label}.",
                code="sign_in_denied",
                hint="Sign in again and give consent, or ask the administrator of your account there.",
            )
        return Invalid(
            f"{self.config.label} reported an error: {_word(word)}.",
            code="sign_in_failed",
            hint="Sign in again. If the problem persists, contact the operator of this server.",
        )

    async def person(self, params: Mapping[str, str], attempt: SignInAttempt) -> Person:
        """Implements ``SignInProvider``."""
        metadata = await self._discovery.metadata()
        _check_sender(params, metadata)
        code = _code_of(params)
        async with self._client(metadata) as client:
            token = await self._token(client, metadata, code, attempt)
            access_token = token.get("access_token")
            expected = ExpectedClaims(
                issuer=metadata.issuer,
                client_id=self.config.client_id,
                nonce=attempt.nonce,
                algorithms=metadata.algorithms,
                access_token=access_token if isinstance(access_token, str) else None,
            )
            claims = await self._verified(str(token.get("id_token", "")), expected)
            if "email" not in claims and metadata.userinfo_endpoint and expected.access_token:
                more = await self._userinfo(client, metadata.userinfo_endpoint, expected, claims)
                claims = {**more, **claims, **{name: more.get(name) for name in ABOUT_EMAIL}}
        return person(claims, self.config)

    async def logout_url(self, post_logout_redirect_uri: str, email: str | None) -> str | None:
        """Implements ``SignInProvider``."""
        try:
            endpoint = (await self._discovery.metadata()).end_session_endpoint
        except Unavailable:
            return None
        if endpoint is None:
            return None
        given = {"client_id": self.config.client_id, "post_logout_redirect_uri": post_logout_redirect_uri}
        if email is not None:
            given["logout_hint"] = email
        parts = urlsplit(endpoint)
        return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(given))))))

    async def _token(
        self, client: AsyncOAuth2Client, metadata: Metadata, code: str, attempt: SignInAttempt
    ) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT_S):
                token: Mapping[str, Any] = await client.fetch_token(
                    metadata.token_endpoint,
                    grant_type="authorization_code",
                    code=code,
                    redirect_uri=attempt.redirect_uri,
                    code_verifier=attempt.code_verifier,
                )
        except OAuthError as error:
            raise self._refused_code(str(error.error)) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise unavailable(self.config, transport_error(error)) from error
        except (ValueError, TypeError) as error:
            raise unavailable(self.config, "its token response is malformed") from error
        return token

    def _refused_code(self, word: str) -> Unavailable | Invalid:
        if word in _OUR_FAULT:
            return Unavailable(
                f"{self.config.label} rejected this server's client credentials.",
                code="sign_in_client_refused",
                hint="The operator of this server must check client_id and client_secret in COMBINE_OIDC_PROVIDERS.",
            )
        return Invalid(
            f"{self.config.label} rejected the authorization code: {_word(word)}.",
            code="sign_in_code_refused",
            hint="Sign in again. Each sign-in works once and expires after a few minutes.",
        )

    async def _verified(self, token: str, expected: ExpectedClaims) -> dict[str, Any]:
        try:
            return verify(token, await self._discovery.keys(), expected, self._now())
        except UnknownKey:
            pass
        try:
            return verify(token, await self._discovery.keys(maybe_stale=True), expected, self._now())
        except UnknownKey as error:
            raise NotSignedIn(
                "The provider's ID token is signed with a key that the provider does not publish.",
                code="id_token_signature",
                hint="Sign in again in a minute.",
            ) from error

    async def _userinfo(
        self, client: AsyncOAuth2Client, url: str, expected: ExpectedClaims, claims: Mapping[str, Any]
    ) -> dict[str, Any]:
        """More claims, for providers that send the address only there."""
        headers = {"Authorization": f"Bearer {expected.access_token}"}
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT_S):
                response = await client.request("GET", url, headers=headers, auth=None)
            response.raise_for_status()
            found = response.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise unavailable(self.config, transport_error(error)) from error
        except ValueError:  # for example a signed response
            return {}
        return found if isinstance(found, dict) and found.get("sub") == claims.get("sub") else {}

    @asynccontextmanager
    async def _client(self, metadata: Metadata) -> AsyncIterator[AsyncOAuth2Client]:
        secret = self.config.client_secret
        async with AsyncOAuth2Client(
            client_id=self.config.client_id,
            client_secret=None if secret is None else secret.get_secret_value(),
            token_endpoint_auth_method=metadata.token_auth_method,
            scope=" ".join(self.config.scopes),
            code_challenge_method="S256",
            timeout=TIMEOUT_S,
            verify=self._context(),
        ) as client:
            yield client

    def _plain_client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(timeout=TIMEOUT_S, verify=self._context())

    def _context(self) -> ssl.SSLContext:
        """Raises Unavailable."""
        if self._tls is None:  # created once: it reads all certificates
            try:
                self._tls = httpx2.create_ssl_context()
            except OSError as error:
                raise unavailable(self.config, "SSL_CERT_FILE does not name a file of certificates") from error
        return self._tls


def _check_sender(params: Mapping[str, str], metadata: Metadata) -> None:
    """With several providers, a response of one must not be accepted as that of another (RFC 9207)."""
    sender = params.get("iss")
    varies = "{" in metadata.issuer
    if (sender is None and metadata.sends_issuer) or (sender is not None and not varies and sender != metadata.issuer):
        raise NotSignedIn(
            "The response comes from another provider.",
            code="id_token_issuer",
            hint="Sign in again.",
        )


def _code_of(params: Mapping[str, str]) -> str:
    code = params.get("code", "")
    if not 0 < len(code) <= _MAX_CODE or not all("!" <= character <= "~" for character in code):
        raise Invalid(
            "The provider's response has no authorization code.", code="sign_in_code_missing", hint="Sign in again."
        )
    return code


def _word(text: str) -> str:
    """An error name as the standard defines them; other text from the sender is not repeated."""
    return text if _WORD.fullmatch(text) else "unknown error"
