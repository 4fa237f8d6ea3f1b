"""Verifies ID tokens and reads the person from their claims. Pure: keys and time are arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, InvalidKeyIdError, JoseError, UnsupportedAlgorithmError
from joserfc.jwk import KeySet

from combine.auth.addresses import domain_of, email_address
from combine.auth.providers import Person, ProviderConfig
from combine.errors import Invalid, NotPermitted, NotSignedIn

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
"""Asymmetric only: with a symmetric algorithm anyone could sign with the public key."""
LEEWAY_S = 60
"""Tolerated clock difference."""
ABOUT_EMAIL = ("email", "email_verified", "xms_edov")
"""Claims that belong together: an address from one source is not verified by a claim from another."""
MAX_SUBJECT = 255
MAX_NAME = 120
_TENANT = "{tenantid}"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_GMAIL = frozenset({"gmail.com", "googlemail.com"})
_TRUE = (True, "true")
_DOMAIN_OWNER_VERIFIED = (True, "1", "true")
_CODES = {"iss": "id_token_issuer", "aud": "id_token_audience", "azp": "id_token_audience", "nonce": "id_token_nonce"}


class UnknownKey(Exception):
    """The signing key is not in the set, which may be stale. Not raised outside of this room."""


@dataclass(frozen=True, slots=True)
class ExpectedClaims:
    """What a token must contain."""

    issuer: str
    """As discovered; Microsoft's contains ``{tenantid}`` for multi-tenant applications."""
    client_id: str
    nonce: str = field(repr=False)
    algorithms: tuple[str, ...] = ("RS256",)
    access_token: str | None = field(default=None, repr=False)
    """If given, ``at_hash`` is checked against it."""


def verify(token: str, keys: KeySet, expected: ExpectedClaims, now: datetime) -> dict[str, Any]:
    """The claims of a token after checking its signature, issuer, audience, times and nonce.

    Raises UnknownKey, or NotSignedIn with a code for each check.
    """
    try:
        decoded = jwt.decode(token, keys, algorithms=expected.algorithms)
    except InvalidKeyIdError as error:
        raise UnknownKey from error
    except UnsupportedAlgorithmError as error:
        raise _refused("is signed with an algorithm that is not accepted", code="id_token_algorithm") from error
    except (JoseError, ValueError, TypeError) as error:
        raise _refused("has an invalid signature", code="id_token_signature") from error
    claims = decoded.claims
    issuer = _issuer(expected.issuer, claims)
    checked = CodeIDToken(
        claims,
        decoded.header,
        {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": expected.client_id}},
        {"nonce": expected.nonce, "client_id": expected.client_id, "access_token": expected.access_token},
    )
    try:
        checked.validate(now=int(now.timestamp()), leeway=LEEWAY_S)
    except ExpiredTokenError as error:
        raise _refused("has expired", code="id_token_expired") from error
    except ClaimError as error:
        raise _refused(
            f"has a wrong or missing claim: {error.claim}", code=_CODES.get(error.claim, "id_token_invalid")
        ) from error
    except (JoseError, ValueError, TypeError) as error:
        raise _refused("is malformed", code="id_token_invalid") from error
    return claims


def person(claims: Mapping[str, Any], provider: ProviderConfig) -> Person:
    """The person described by verified claims. Raises NotPermitted unless their address is verified."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():
        raise _refused("has a wrong or missing claim: sub", code="id_token_invalid")
    raw = claims.get("email")
    if not isinstance(raw, str) or not raw:
        raise NotPermitted(
            f"{provider.label} did not provide your email address.",
            code="email_missing",
            hint="Allow it to share the address. This server may also need to request the claim `email`.",
        )
    try:
        email = email_address(raw)
    except Invalid as error:
        raise NotPermitted(error.message, code="email_unusable") from error
    if not _is_verified(email, claims, provider):
        raise NotPermitted(
            f"{provider.label} has not verified your email address.",
            code="email_not_verified",
            hint="Verify the address there, or sign in with an account of your organisation.",
        )
    return Person(str(claims["iss"]), subject, email, _name(claims, email))


def _issuer(discovered: str, claims: Mapping[str, Any]) -> str:
    if _TENANT not in discovered:
        return discovered
    tenant = claims.get("tid")
    if not isinstance(tenant, str) or _UUID.fullmatch(tenant) is None:
        raise _refused("has a wrong or missing claim: tid", code="id_token_issuer")
    return discovered.replace(_TENANT, tenant)


def _is_verified(email: str, claims: Mapping[str, Any], provider: ProviderConfig) -> bool:
    if provider.trust_email:
        return True
    if provider.only_with_hosted_domain and domain_of(email) not in _GMAIL and not claims.get("hd"):
        return False
    return claims.get("email_verified") in _TRUE or claims.get("xms_edov") in _DOMAIN_OWNER_VERIFIED


def _name(claims: Mapping[str, Any], email: str) -> str:
    for key in ("name", "given_name", "preferred_username"):
        text = claims.get(key)
        if isinstance(text, str):
            name = "".join(character if character.isprintable() else " " for character in text)
            if words := " ".join(name.split())[:MAX_NAME].strip():
                return words
    return email.partition("@")[0]


def _refused(what: str, *, code: str) -> NotSignedIn:
    return NotSignedIn(
        f"The provider's ID token {what}.",
        code=code,
        hint="Sign in again. If the problem persists, contact the operator of this server.",
    )
