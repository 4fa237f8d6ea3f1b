"""Signing in at providers, as seen by who offers it: nothing here needs the libraries that speak to one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from combine.auth.providers import ProviderConfig
from combine.errors import Invalid, NotFound, NotPermitted


@dataclass(frozen=True, slots=True)
class Attempt:
    """What binds one sign-in together; the provider sees the verifier only as a hash, until the end."""

    redirect_uri: str
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a provider speaks of."""

    issuer: str
    subject: str
    email: str
    """Verified, in small letters."""
    name: str


class SignInProvider(Protocol):
    """One provider; ``oidc.py`` has it."""

    @property
    def config(self) -> ProviderConfig:
        """As set."""

    async def authorization_url(self, attempt: Attempt, state: str, *, choose_account: bool = False) -> str:
        """Where to send the browser. ``choose_account``: ask which one, even if only one is signed in there.

        Raises Unavailable.
        """

    def refusal(self, word: str) -> NotPermitted | Invalid:
        """What an answer means that holds an error instead of a code. It opens nothing, so it may come from anybody."""

    async def person(self, params: Mapping[str, str], attempt: Attempt) -> Person:
        """Who came back, by the query of the redirect, whose state has been checked.

        Raises NotPermitted, NotSignedIn, Invalid, Unavailable; each code names what was wrong.
        """

    async def logout_url(self, post_logout_redirect_uri: str, email: str | None) -> str | None:
        """Where the browser can end the session at the provider too; None if it offers that nowhere, or is out."""


class SignInProviders:
    """All that are configured."""

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
                f"Nobody can sign in with {name[:80]!r} here.",
                code="sign_in_provider_unknown",
                hint=f"Configured are: {', '.join(self._providers) or 'none'}.",
            )
        return self._providers[name]
