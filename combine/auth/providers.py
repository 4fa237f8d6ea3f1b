"""What is configured of one provider of identities. Google and Microsoft are known by name; any other has an issuer."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

GOOGLE = "google"
MICROSOFT = "microsoft"
GOOGLE_ISSUER = "https://accounts.google.com"
_MICROSOFT_HOST = "https://login.microsoftonline.com"
OPEN_TENANTS = frozenset({"common", "organizations", "consumers"})
"""Microsoft's tenants that hold accounts of anybody: there an address is only what somebody typed in."""
SCOPES = ("openid", "email", "profile")


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """One provider."""

    name: str
    """Its key in the settings; stands in paths."""
    label: str
    """For people: Sign in with LABEL."""
    issuer: str
    client_id: str
    client_secret: SecretStr | None = None
    """None: a public client, known by PKCE alone."""
    scopes: tuple[str, ...] = SCOPES
    trust_email: bool = False
    """Addresses are taken for verified although no claim says so: whoever runs the provider gives them out."""
    issuer_varies: bool = False
    """Discovery may name another tenant than the configured address does (Microsoft)."""
    only_with_hosted_domain: bool = False
    """Addresses outside of Gmail need the claim ``hd``. Without it somebody has once opened a private account with
    an address of a company, which says nothing about today (Google)."""


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
    """From the settings of one provider, which have been checked; fills in what is known of Google and Microsoft."""
    microsoft = name == MICROSOFT
    home = tenant or "common"
    if name == GOOGLE:
        issuer = GOOGLE_ISSUER
    elif microsoft:
        issuer = f"{_MICROSOFT_HOST}/{home}/v2.0"
    assert issuer is not None  # the settings have seen to it
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
