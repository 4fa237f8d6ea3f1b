"""Identity providers: their configuration, and the interface that services use.

Nothing here needs the OpenID Connect libraries; ``oidc.py`` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import SecretStr

from combine.errors import Invalid, NotFound, NotPermitted

GOOGLE = "google"
MICROSOFT = "microsoft"
GOOGLE_ISSUER = "https://accounts.google.com"
_MICROSOFT_HOST = "https://login.microsoftonline.com"
OPEN_TENANTS = frozenset({"common", "organizations", "consumers"})
"""Microsoft's multi-tenant values: accounts there may state any email address, so it proves nothing."""
SCOPES = ("openid", "email", "profile")


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """One provider."""

    name: str
    """Its key in the settings; part of URL paths."""
    label: str
    """Shown to people: Sign in with LABEL."""
    issuer: str
    client_id: str
    client_secret: SecretStr | None = None
    """None: a public client, protected by PKCE only."""
    scopes: tuple[str, ...] = SCOPES
    trust_email: bool = False
    """Treat addresses as verified although no claim says so, because the provider's operator assigns them."""
    issuer_varies: bool = False
    """Discovery may name another tenant than the configured URL (Microsoft)."""
    only_with_hosted_domain: bool = False
    """Addresses outside of Gmail require the claim ``hd`` (Google). Without it, the account is a private one that was
    once created with a company's address, and may no longer belong to its owner."""


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """The values that tie the steps of one sign-in together. Until the end the provider sees the verifier as a hash."""

    redirect_uri: str
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Person:
    """The person whom a provider identified."""

    issuer: str
    subject: str
    email: str
    """Verified, in lower case."""
    name: str


class SignInProvider(Protocol):
    """One provider; ``OidcClient`` implements it."""

    @property
    def config(self) -> ProviderConfig:
        """As configured."""

    async def authorization_url(self, attempt: SignInAttempt, state: str, *, choose_account: bool = False) -> str:
        """Where to redirect the browser. ``choose_account``: let the person choose even if only one is signed in.

        Raises Unavailable.
        """

    def refusal(self, word: str) -> NotPermitted | Invalid:
        """The error for a response with ``error`` instead of a code. It grants nothing, so anyone may have sent it."""

    async def person(self, params: Mapping[str, str], attempt: SignInAttempt) -> Person:
        """Who signed in, from the query of the redirect. The caller has checked the state.

        Raises NotPermitted, NotSignedIn, Invalid, Unavailable; the code names the exact case.
        """

    async def logout_url(self, post_logout_redirect_uri: str, email: str | None) -> str | None:
        """Where the browser can end the provider's session; None if that is unsupported or the provider is down."""


class SignInProviders:
    """All configured providers."""

    def __init__(self, providers: Iterable[SignInProvider] = ()) -> None:
        self._providers = {provider.config.name: provider for provider in providers}

    @property
    def configs(self) -> tuple[ProviderConfig, ...]:
        """In the order of the settings."""
        return tuple(provider.config for provider in self._providers.values())

    def get(self, name: str) -> SignInProvider:
        """Raises NotFound."""
        if name not in self._providers:
            raise NotFound(
                f"Unknown identity provider {name[:80]!r}.",
                code="sign_in_provider_unknown",
                hint=f"Configured providers: {', '.join(self._providers) or 'none'}.",
            )
        return self._providers[name]


def provider_config(
    name: str,
    client_id: str,
    *,
    client_secret: SecretStr | None = None,
    issuer: str | None = None,
    tenant: str | None = None,
    label: str | None = None,
    scopes: tuple[str, ...] | None = None,
    trust_email: bool | None = None,
) -> ProviderConfig:
    """From the validated settings of one provider; fills in what is known about Google and Microsoft."""
    microsoft = name == MICROSOFT
    home = tenant or "common"
    if name == GOOGLE:
        issuer = GOOGLE_ISSUER
    elif microsoft:
        issuer = f"{_MICROSOFT_HOST}/{home}/v2.0"
    assert issuer is not None  # required by the settings
    return ProviderConfig(
        name=name,
        label=label or name.replace("-", " ").title(),
        issuer=issuer,
        client_id=client_id,
        client_secret=client_secret,
        scopes=SCOPES if scopes is None else tuple(dict.fromkeys(("openid", *scopes))),
        trust_email=(microsoft and home.lower() not in OPEN_TENANTS) if trust_email is None else trust_email,
        issuer_varies=microsoft,
        only_with_hosted_domain=name == GOOGLE,
    )
