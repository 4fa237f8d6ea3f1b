"""Signing in end to end with a real provider process (oidc-provider-mock) over HTTP."""

from urllib.parse import parse_qs, urlsplit

import pytest
from town import CALLBACK, COOKIE, config_of

from combine.auth.permissions import InstanceRole, Scope
from combine.errors import Invalid, NotPermitted, NotSignedIn
from combine.services.sign_in import Browser

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def at_provider(provider_process, door_of):
    provider_process.set_user("ann", email="Ann@Example.org", email_verified=True, name="Ann Baker")
    return door_of(config_of(provider_process))


def query(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


async def test_a_complete_sign_in(at_provider, provider_process):
    url = await at_provider.begin(next_path="/projects/7?x=y")
    asked = query(url)
    assert asked["redirect_uri"] == CALLBACK
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["scope"] == "openid email profile"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"], COOKIE}) == 4
    signed_in = await at_provider.finish(
        provider_process.consent(url, "ann"), browser=Browser(user_agent="Firefox\x00\n" + "x" * 500)
    )
    assert (signed_in.user.name, signed_in.user.email) == ("Ann Baker", "ann@example.org")
    assert signed_in.user.role is InstanceRole.MEMBER
    assert signed_in.next_path == "/projects/7?x=y"
    assert not signed_in.linked
    assert signed_in.session_secret not in repr(signed_in)
    actor = await at_provider.actor(signed_in)
    assert (actor.user_id, actor.scope) == (signed_in.user.id, Scope.ADMIN)
    assert actor.session_id == signed_in.session_id


async def test_signing_in_again_is_the_same_user(at_provider, provider_process):
    first, second = [
        await at_provider.finish(provider_process.consent(await at_provider.begin(), "ann")) for _ in range(2)
    ]
    assert first.user == second.user
    assert first.session_secret != second.session_secret


async def test_a_callback_works_once(at_provider, provider_process):
    params = provider_process.consent(await at_provider.begin(), "ann")
    await at_provider.finish(params)
    with pytest.raises(Invalid) as caught:
        await at_provider.finish(params)
    assert caught.value.code == "sign_in_state_unknown"


async def test_a_code_works_once(at_provider, provider_process):
    params = provider_process.consent(await at_provider.begin(), "ann")
    await at_provider.finish(params)
    again = query(await at_provider.begin())
    with pytest.raises(Invalid) as caught:
        await at_provider.finish({**params, "state": again["state"]})
    assert caught.value.code == "sign_in_code_refused"
    assert params["code"] not in str(caught.value)


async def test_a_code_of_another_sign_in_has_the_wrong_nonce(at_provider, provider_process):
    stolen = provider_process.consent(await at_provider.begin(), "ann")
    mine = query(await at_provider.begin())
    with pytest.raises(NotSignedIn) as caught:
        await at_provider.finish({"code": stolen["code"], "state": mine["state"]})
    assert caught.value.code == "id_token_nonce"


async def test_a_person_who_denies_consent_is_not_signed_in(at_provider, provider_process):
    with pytest.raises(NotPermitted) as caught:
        await at_provider.finish(provider_process.deny(await at_provider.begin()))
    assert caught.value.code == "sign_in_denied"


@pytest.mark.parametrize("claims", [{}, {"email_verified": False}])
async def test_an_address_that_is_not_verified_is_refused(at_provider, provider_process, claims):
    provider_process.set_user("bob", email="bob@example.org", **claims)
    with pytest.raises(NotPermitted) as caught:
        await at_provider.finish(provider_process.consent(await at_provider.begin(), "bob"))
    assert caught.value.code == "email_not_verified"


async def test_signing_out_leads_to_the_provider(at_provider, provider_process):
    signed_in = await at_provider.finish(provider_process.consent(await at_provider.begin(), "ann"))
    url = await at_provider.sign_in.sign_out(signed_in.session_secret, "http://localhost:8765/login")
    assert url.startswith(f"{provider_process.url}/oauth2/end_session?")
    assert query(url) == {
        "client_id": "combine",
        "post_logout_redirect_uri": "http://localhost:8765/login",
        "logout_hint": "ann@example.org",
    }
    with pytest.raises(NotSignedIn):
        await at_provider.actor(signed_in)
    assert await at_provider.sign_in.sign_out(signed_in.session_secret, "http://localhost:8765/login") is None


async def test_a_provider_with_a_tenant_of_its_own_may_be_trusted(provider_process, door_of):
    provider_process.set_user("carl", email="carl@example.org")
    door = door_of(config_of(provider_process, trust_email=True))
    signed_in = await door.finish(provider_process.consent(await door.begin(), "carl"))
    assert signed_in.user.email == "carl@example.org"
