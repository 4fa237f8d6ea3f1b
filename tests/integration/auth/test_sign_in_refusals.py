"""Whatever a provider, browser or attacker does wrong: nobody is signed in, and a code tells why."""

import asyncio
import logging
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from own_issuer import CLIENT_SECRET, new_key
from pydantic import SecretStr
from town import COOKIE, config_of

from combine.errors import CombineError, Conflict, Invalid, NotFound, NotPermitted, NotSignedIn, Unavailable

ANN = {"sub": "ann", "email": "ann@example.org", "email_verified": True}


async def refused(awaitable, kind, code):
    with pytest.raises(kind) as caught:
        await awaitable
    assert caught.value.code == code
    return caught.value


@pytest.mark.parametrize(
    ("claims", "refusal"),
    [
        ({"nonce": "another"}, (NotSignedIn, "id_token_nonce")),
        ({"nonce": None}, (NotSignedIn, "id_token_nonce")),
        ({"exp": 1_000_000_000}, (NotSignedIn, "id_token_expired")),
        ({"iat": 4_000_000_000}, (NotSignedIn, "id_token_invalid")),
        ({"iss": "https://evil.example"}, (NotSignedIn, "id_token_issuer")),
        ({"aud": "another"}, (NotSignedIn, "id_token_audience")),
        ({"aud": ["combine", "another"]}, (NotSignedIn, "id_token_audience")),
        ({"sub": None}, (NotSignedIn, "id_token_invalid")),
        ({"at_hash": "AAAA"}, (NotSignedIn, "id_token_invalid")),
        ({"email_verified": False}, (NotPermitted, "email_not_verified")),
        ({"email_verified": None}, (NotPermitted, "email_not_verified")),
        ({"email": None}, (NotPermitted, "email_missing")),
        ({"email": "ann"}, (NotPermitted, "email_unusable")),
        ({"email": "ann@elsewhere.example"}, (NotPermitted, "email_domain_not_allowed")),
        ({"email": "ann@sub.example.org"}, (NotPermitted, "email_domain_not_allowed")),
        ({"email": "ann@example.org.evil.example"}, (NotPermitted, "email_domain_not_allowed")),
    ],
    ids=str,
)
async def test_a_wrong_id_token(door, issuer, town, claims, refusal):
    url = await door.begin()
    issuer.claims = ANN | claims
    await refused(door.finish(issuer.consent(url)), *refusal)
    assert (await town.run("SELECT count(*) FROM users")).scalar_one() == 0
    assert await town.audit() == []


async def test_an_id_token_signed_with_another_key(door, issuer):
    issuer.claims = ANN
    url = await door.begin()
    issuer.key = new_key()  # not published
    await refused(door.finish(issuer.consent(url)), NotSignedIn, "id_token_signature")


async def test_an_id_token_signed_with_an_unannounced_algorithm(door, issuer):
    issuer.claims, issuer.alg = ANN, "PS256"
    await refused(door.finish(issuer.consent(await door.begin())), NotSignedIn, "id_token_algorithm")


async def test_a_rotated_key_is_fetched_once_and_then_rate_limited(door, issuer):
    await door.through(issuer, "ann", "ann@example.org")
    assert issuer.asked.count("GET /keys") == 1
    issuer.key = new_key()
    issuer.published.append(issuer.key)
    issuer.claims = ANN
    for _ in range(3):  # the keys were fetched just now
        await refused(door.finish(issuer.consent(await door.begin())), NotSignedIn, "id_token_signature")
    assert issuer.asked.count("GET /keys") == 1
    provider = door.sign_in._providers.get("own")
    provider._discovery._keys._fetched_at -= 31
    await door.finish(issuer.consent(await door.begin()))
    assert issuer.asked.count("GET /keys") == 2
    assert issuer.asked.count("GET /.well-known/openid-configuration") == 1


@pytest.mark.parametrize(
    ("change", "cookie", "refusal"),
    [
        ({"state": "another"}, COOKIE, (Invalid, "sign_in_state_unknown")),
        ({"state": ""}, COOKIE, (Invalid, "sign_in_state_unknown")),
        ({"state": "\ud800"}, COOKIE, (Invalid, "sign_in_state_unknown")),
        ({"state": None}, COOKIE, (Invalid, "sign_in_state_unknown")),
        ({}, "of another browser", (Invalid, "sign_in_other_browser")),
        ({}, "", (Invalid, "sign_in_other_browser")),
        ({}, None, (Invalid, "sign_in_other_browser")),
        ({"code": None}, COOKIE, (Invalid, "sign_in_code_missing")),
        ({"code": ""}, COOKIE, (Invalid, "sign_in_code_missing")),
        ({"code": "x" * 5000}, COOKIE, (Invalid, "sign_in_code_missing")),
        ({"code": "a b\n"}, COOKIE, (Invalid, "sign_in_code_missing")),
        ({"code": "guessed"}, COOKIE, (Invalid, "sign_in_code_refused")),
        ({"iss": "https://evil.example"}, COOKIE, (NotSignedIn, "id_token_issuer")),
        ({"error": "access_denied"}, COOKIE, (NotPermitted, "sign_in_denied")),
        ({"error": "server_error"}, COOKIE, (Invalid, "sign_in_failed")),
        ({"error": "<script>"}, COOKIE, (Invalid, "sign_in_failed")),
    ],
    ids=str,
)
async def test_a_wrong_answer_uses_the_sign_in_up(door, issuer, change, cookie, refusal):
    issuer.claims = ANN
    right = issuer.consent(await door.begin())
    params = {name: value for name, value in (right | change).items() if value is not None}
    error = await refused(door.finish(params, cookie=cookie), *refusal)
    assert "script" not in str(error)
    assert error.hint
    if "state" not in change:
        await refused(door.finish(right), Invalid, "sign_in_state_unknown")


async def test_a_provider_that_announces_iss_must_send_it(door, issuer):
    issuer.document = {"authorization_response_iss_parameter_supported": True}
    issuer.claims = ANN
    await refused(door.finish(issuer.consent(await door.begin())), NotSignedIn, "id_token_issuer")
    await door.finish({**issuer.consent(await door.begin()), "iss": issuer.url})


async def test_a_response_of_another_provider(issuer, another_issuer, door_of):
    door = door_of(config_of(issuer), config_of(another_issuer, "other"))
    issuer.claims = another_issuer.claims = ANN
    params = issuer.consent(await door.begin())
    await refused(door.finish(params, provider="other"), Invalid, "sign_in_state_unknown")


async def test_an_unknown_provider(door):
    for attempt in (door.begin("nobody"), door.finish({}, provider="nobody")):
        await refused(attempt, NotFound, "sign_in_provider_unknown")


async def test_an_attempt_expires_after_ten_minutes(door, issuer, town):
    issuer.claims = ANN
    params = issuer.consent(await door.begin())
    await town.run("UPDATE sign_ins SET created_at = created_at - interval '601 seconds'")
    await refused(door.finish(params), Invalid, "sign_in_expired")


async def test_abandoned_attempts_are_deleted(door, town):
    await door.begin()
    await town.run("UPDATE sign_ins SET created_at = created_at - interval '21 minutes'")
    await door.begin()
    assert (await town.run("SELECT count(*) FROM sign_ins")).scalar_one() == 1


async def test_of_two_concurrent_uses_of_one_state_one_succeeds(door, issuer, town):
    issuer.claims = ANN
    params = issuer.consent(await door.begin())
    results = await asyncio.gather(*(door.finish(params) for _ in range(10)), return_exceptions=True)
    assert len([one for one in results if not isinstance(one, CombineError)]) == 1
    assert {one.code for one in results if isinstance(one, CombineError)} == {"sign_in_state_unknown"}
    assert (await town.run("SELECT count(*) FROM sessions")).scalar_one() == 1


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", None])
async def test_no_redirect_leads_to_another_server(door, issuer, path):
    issuer.claims = ANN
    signed_in = await door.finish(issuer.consent(await door.begin(next_path=path)))
    assert signed_in.next_path == "/"


async def test_no_secret_is_stored(door, issuer, town):
    url = await door.begin()
    state = parse_qs(urlsplit(url).query)["state"][0]
    issuer.claims = ANN
    stored = str((await town.run("SELECT * FROM sign_ins")).all())
    assert state not in stored
    assert COOKIE not in stored
    signed_in = await door.finish(issuer.consent(url))
    stored = str((await town.run("SELECT * FROM sessions, audit")).all())
    assert signed_in.session_secret not in stored


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token"])
@pytest.mark.parametrize("status", [301, 404, 500, 503])
async def test_a_provider_that_responds_with_an_error(door, issuer, path, status):
    issuer.claims, issuer.status = ANN, {path: status}

    async def both():
        await door.finish(issuer.consent(await door.begin()))

    kind, code = (
        (Invalid, "sign_in_code_refused")
        if path == "/token" and status < 500
        else (Unavailable, "sign_in_provider_unavailable")
    )
    await refused(both(), kind, code)


async def test_a_provider_that_is_down(door, issuer):
    issuer.down = True
    error = await refused(door.begin(), Unavailable, "sign_in_provider_unavailable")
    assert "Own" in error.message
    asked = len(issuer.asked)
    await refused(door.begin(), Unavailable, "sign_in_provider_unavailable")
    assert len(issuer.asked) == asked


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token", "/userinfo"])
async def test_a_provider_that_sends_a_byte_now_and_then(door, issuer, monkeypatch, path):
    monkeypatch.setattr("combine.auth.discovery.RESPONSE_TIMEOUT_S", 0.5)
    monkeypatch.setattr("combine.auth.oidc.RESPONSE_TIMEOUT_S", 0.5)
    issuer.claims, issuer.dripping = {"sub": "ann"}, path

    async def both():
        await door.finish(issuer.consent(await door.begin()))

    error = await refused(both(), Unavailable, "sign_in_provider_unavailable")
    assert "in time" in error.message


async def test_a_provider_with_another_issuer(door, issuer):
    issuer.document = {"issuer": "https://evil.example"}
    error = await refused(door.begin(), Unavailable, "sign_in_provider_unavailable")
    assert "evil.example" in error.message


async def test_a_provider_without_a_usable_key(door, issuer, signing_key):
    issuer.claims, issuer.published = ANN, []
    await refused(door.finish(issuer.consent(await door.begin())), Unavailable, "sign_in_provider_unavailable")


async def test_certificates_that_cannot_be_read(door, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    error = await refused(door.begin(), Unavailable, "sign_in_provider_unavailable")
    assert "SSL_CERT_FILE" in error.message


async def test_a_wrong_client_secret_is_the_administrators_error(issuer, door_of):
    door = door_of(config_of(issuer, client_secret=SecretStr("a-wrong-secret")))
    issuer.claims = ANN
    error = await refused(door.finish(issuer.consent(await door.begin())), Unavailable, "sign_in_client_refused")
    assert "COMBINE_OIDC_PROVIDERS" in error.hint
    assert "a-wrong-secret" not in str(error.__dict__)


async def test_the_address_may_be_in_userinfo_only(door, issuer):
    issuer.claims = {"sub": "ann", "email_verified": True}
    issuer.userinfo = {"sub": "ann", "email": "ann@example.org", "email_verified": True, "name": "Ann"}
    signed_in = await door.finish(issuer.consent(await door.begin()))
    assert (signed_in.user.email, signed_in.user.name) == ("ann@example.org", "Ann")


@pytest.mark.parametrize(
    ("userinfo", "code"),
    [
        (
            {"sub": "ann", "email": "ann@example.org"},
            "email_not_verified",
        ),  # the claim in the ID token is about another
        ({"sub": "bob", "email": "ann@example.org", "email_verified": True}, "email_missing"),
        ({}, "email_missing"),
        ([], "email_missing"),
    ],
    ids=str,
)
async def test_claims_missing_in_userinfo_are_not_assumed(door, issuer, userinfo, code):
    issuer.claims = {"sub": "ann", "email_verified": True}
    issuer.userinfo = userinfo
    await refused(door.finish(issuer.consent(await door.begin())), NotPermitted, code)


async def test_a_refusal_is_logged_without_secrets(door, issuer, caplog):
    caplog.set_level(logging.DEBUG)
    issuer.claims = ANN
    url = await door.begin()
    right = issuer.consent(url)
    await refused(door.finish({**right, "code": "guessed-code"}), Invalid, "sign_in_code_refused")
    assert "sign_in_code_refused" in caplog.text
    for secret in (CLIENT_SECRET, right["state"], "guessed-code", COOKIE, issuer.token_requests[0]["code_verifier"]):
        assert secret not in caplog.text


async def test_microsofts_issuer_is_that_of_the_tenant_in_the_token(issuer, door_of):
    tenant = "11111111-2222-3333-4444-555555555555"
    issuer.document = {"issuer": f"{issuer.url}/{{tenantid}}/v2.0"}
    config = replace(config_of(issuer), issuer=f"{issuer.url}/common/v2.0")
    await refused(door_of(config).begin(), Unavailable, "sign_in_provider_unavailable")  # Microsoft only
    door = door_of(replace(config, issuer_varies=True))
    issuer.claims = ANN | {"iss": f"{issuer.url}/{tenant}/v2.0", "tid": tenant}
    url = await door.begin()
    assert (await door.finish(issuer.consent(url))).user.email == "ann@example.org"
    issuer.claims |= {"tid": tenant.replace("1", "9")}
    await refused(door.finish(issuer.consent(await door.begin())), NotSignedIn, "id_token_issuer")


async def test_an_identity_of_another_user_is_a_conflict(door, issuer):
    ann = await door.through(issuer, "ann", "ann@example.org")
    bob = await door.through(issuer, "bob", "bob@example.org")
    linking = door.through(issuer, "ann", "ann@example.org", session=bob.session_secret, link_user_id=bob.user.id)
    await refused(linking, Conflict, "identity_taken")
    assert (await door.actor(ann)).user_id == ann.user.id
