"""Google and Microsoft are built in; the metadata of a provider is checked before it is used."""

import pytest
from pydantic import SecretStr

from combine.auth.discovery import metadata_from
from combine.auth.providers import provider_config
from combine.errors import Unavailable

MICROSOFT = "https://login.microsoftonline.com"
GUID = "11111111-2222-3333-4444-555555555555"
SECRET = SecretStr("the-secret")


def config(name="okta", issuer="https://login.example.org", **more):
    return provider_config(name, "combine", client_secret=SECRET, issuer=issuer, **more)


@pytest.mark.parametrize(
    ("name", "more", "issuer", "trust_email", "label"),
    [
        ("google", {}, "https://accounts.google.com", False, "Google"),
        ("microsoft", {}, f"{MICROSOFT}/common/v2.0", False, "Microsoft"),
        ("microsoft", {"tenant": "organizations"}, f"{MICROSOFT}/organizations/v2.0", False, "Microsoft"),
        ("microsoft", {"tenant": "consumers"}, f"{MICROSOFT}/consumers/v2.0", False, "Microsoft"),
        ("microsoft", {"tenant": GUID}, f"{MICROSOFT}/{GUID}/v2.0", True, "Microsoft"),
        ("microsoft", {"tenant": "example.org"}, f"{MICROSOFT}/example.org/v2.0", True, "Microsoft"),
        ("microsoft", {"tenant": GUID, "trust_email": False}, f"{MICROSOFT}/{GUID}/v2.0", False, "Microsoft"),
        ("our-own", {"issuer": "https://x.example"}, "https://x.example", False, "Our Own"),
        ("okta", {"issuer": "https://x.example", "label": "The firm"}, "https://x.example", False, "The firm"),
    ],
)
def test_the_built_in_configuration_of_a_provider(name, more, issuer, trust_email, label):
    made = provider_config(name, "combine", **more)
    assert (made.issuer, made.trust_email, made.label) == (issuer, trust_email, label)


def test_the_scope_openid_is_always_requested():
    assert config().scopes == ("openid", "email", "profile")
    assert config(scopes=("email", "openid", "groups")).scopes == ("openid", "email", "groups")


def test_the_secret_is_not_shown():
    assert "the-secret" not in repr(config())


def document(**changes):
    made = {
        "issuer": "https://login.example.org",
        "authorization_endpoint": "https://login.example.org/authorize",
        "token_endpoint": "https://login.example.org/token",
        "jwks_uri": "https://login.example.org/keys",
    } | changes
    return {name: value for name, value in made.items() if value is not None}


def test_the_minimal_metadata():
    found = metadata_from(document(), config())
    assert (found.end_session_endpoint, found.userinfo_endpoint) == (None, None)
    assert found.algorithms == ("RS256",)
    assert found.token_auth_method == "client_secret_basic"
    assert not found.sends_issuer


SIGNS = "id_token_signing_alg_values_supported"
METHODS = "token_endpoint_auth_methods_supported"
OUT = "https://login.example.org/out"


@pytest.mark.parametrize(
    ("changes", "what", "value"),
    [
        ({"issuer": "https://login.example.org/"}, "issuer", "https://login.example.org/"),
        ({"end_session_endpoint": OUT}, "end_session_endpoint", OUT),
        ({SIGNS: ["none", "HS256", "ES256", "RS256"]}, "algorithms", ("RS256", "ES256")),
        ({METHODS: ["client_secret_basic", "client_secret_post"]}, "token_auth_method", "client_secret_post"),
        ({"authorization_response_iss_parameter_supported": True}, "sends_issuer", True),
        ({"prompt_values_supported": ["none", "select_account"]}, "can_choose_account", True),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_optional_metadata_is_used(changes, what, value):
    assert getattr(metadata_from(document(**changes), config()), what) == value


def test_a_public_client_sends_no_secret():
    public = provider_config("okta", "combine", issuer="https://login.example.org")
    assert metadata_from(document(), public).token_auth_method == "none"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"issuer": "https://evil.example"}, "'https://evil.example'"),
        ({"issuer": None}, "None"),
        ({"issuer": 7}, "7"),
        ({"token_endpoint": None}, "token_endpoint"),
        ({"jwks_uri": "http://login.example.org/keys"}, "jwks_uri"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint"),
        ({"authorization_endpoint": "https://x@evil.example/"}, "authorization_endpoint"),
        ({"end_session_endpoint": "http://login.example.org/out"}, "end_session_endpoint"),
        ({"userinfo_endpoint": 7}, "userinfo_endpoint"),
        ({"id_token_signing_alg_values_supported": ["none", "HS256"]}, "algorithm"),
    ],
    ids=str,
)
def test_unusable_metadata_is_reported(changes, told):
    with pytest.raises(Unavailable) as caught:
        metadata_from(document(**changes), config())
    assert caught.value.code == "sign_in_provider_unavailable"
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("tenant", "issuer", "good"),
    [
        (None, f"{MICROSOFT}/{{tenantid}}/v2.0", True),
        ("organizations", f"{MICROSOFT}/{{tenantid}}/v2.0", True),
        ("consumers", f"{MICROSOFT}/{GUID}/v2.0", True),
        ("example.org", f"{MICROSOFT}/{GUID}/v2.0", True),
        (GUID, f"{MICROSOFT}/{GUID}/v2.0", True),
        (None, "https://evil.example/{tenantid}/v2.0", False),
        (None, f"{MICROSOFT}/{GUID}/x/v2.0", False),
        (None, f"{MICROSOFT}/{GUID}", False),
    ],
)
def test_microsoft_may_name_another_tenant_but_no_other_host(tenant, issuer, good):
    microsoft = config("microsoft", issuer=None, tenant=tenant)
    if good:
        assert metadata_from(document(issuer=issuer), microsoft).issuer == issuer
        return
    with pytest.raises(Unavailable):
        metadata_from(document(issuer=issuer), microsoft)
