"""Signing in over real HTTP, at a provider in a separate process, and at one that misbehaves."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from api_house import live_server
from oidc_provider import oidc_provider
from own_issuer import CLIENT_ID, CLIENT_SECRET, new_key, own_issuer
from reserved_port import reserved_port

from combine.bootstrap.serving import open_serving
from combine.main import create_app
from combine.settings import Settings

ADA = "ada@example.org"


@pytest.fixture(scope="module")
def provider():
    with oidc_provider() as running:
        yield running


@pytest.fixture(scope="module")
def key():
    return new_key()


@asynccontextmanager
async def team_server(database_url, **providers):
    """A server with these providers; its public URL has its port."""
    with reserved_port() as port:
        settings = Settings(
            database_url=database_url,
            port=port,
            public_url=f"http://127.0.0.1:{port}",
            oidc_providers=providers,
            oidc_allowed_domains="example.org" if providers else (),
            bootstrap_admin=ADA if providers else None,
            rate_limit_sign_in="1000/minute",
        )
        async with open_serving(settings, print) as serving:
            app = create_app(settings, serving=serving)
            async with live_server(app, port=port) as server:
                server.serving = serving
                yield server


def config(issuer, **more):
    return {"issuer": issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **more}


@pytest.fixture
async def town(database_url, provider):
    async with team_server(database_url, town=config(provider.url, label="Town hall")) as server:
        yield server


def set_cookies(response):
    return [header.partition("=")[0] for header in response.headers.get_list("set-cookie")]


def code_of(response):
    """The stable code on an error page."""
    found = re.search(r'<p class="quiet">([a-z_]+), request [0-9a-f]+</p>', response.text)
    assert found, response.text
    return found[1]


async def sign_in(browser, provider, subject="ada", email=ADA, *, at="town", **claims):
    """Sign in at the provider; the response of the callback."""
    provider.set_user(subject, email=email, email_verified=True, name=subject.title(), **claims)
    away = await browser.get(f"/login/{at}", params={"next": "/api/v1/me"})
    assert away.status_code == 303
    return await browser.get(f"/login/{at}/callback", params=provider.consent(away.headers["location"], subject))


async def test_a_person_signs_in_looks_and_signs_out(town, provider):
    async with town.client() as browser:
        home = await browser.get("/")
        assert (home.status_code, home.headers["location"]) == (303, "/login")
        page = await browser.get("/login")
        assert "Sign in with Town hall" in page.text
        assert "script" not in page.text

        away = await browser.get("/login/town", params={"next": "/api/v1/me"})
        asked = {name: values[0] for name, values in parse_qs(urlsplit(away.headers["location"]).query).items()}
        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"] == f"{town.url}/login/town/callback"
        assert len(asked["state"]) >= 40
        assert len(asked["nonce"]) >= 40
        assert asked["state"] != asked["nonce"]

        back = await sign_in(browser, provider)
        assert (back.status_code, back.headers["location"]) == (303, "/api/v1/me")
        cookie = next(one for one in back.headers.get_list("set-cookie") if one.startswith("combine_session="))
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        me = (await browser.get("/api/v1/me")).json()
        assert (me["user"]["email"], me["user"]["role"], me["scope"]) == (ADA, "admin", "admin")
        assert "signed in as <strong>Ada</strong>" in (await browser.get("/")).text

        secret = browser.cookies["combine_session"]
        out = await browser.post("/logout")
        assert out.status_code == 200
        assert "combine_session" not in browser.cookies
        again = await browser.get("/api/v1/me", headers={"cookie": f"combine_session={secret}"})
        assert (again.status_code, again.json()["error"]["code"]) == (401, "session_ended")


async def test_only_the_bootstrap_address_becomes_admin(town, provider):
    async with town.client() as first, town.client() as second:
        await sign_in(first, provider, "bob", "bob@example.org")
        assert (await first.get("/api/v1/me")).json()["user"]["role"] == "member"
        await sign_in(second, provider)
        assert (await second.get("/api/v1/me")).json()["user"]["role"] == "admin"
        actions = [row["action"] for row in (await second.get("/api/v1/audit")).json()["items"]]
        assert "sign_in.bootstrap_admin" in actions


async def test_signing_out_everywhere_ends_every_browser(town, provider):
    async with town.client() as laptop, town.client() as phone:
        for browser in (laptop, phone):
            await sign_in(browser, provider)
        assert len((await laptop.get("/api/v1/me/sessions")).json()["items"]) == 2
        await laptop.post("/logout/everywhere")
        assert (await phone.get("/api/v1/me")).status_code == 401


async def test_signing_out_redirects_to_the_provider_if_supported(database_url, key):
    with own_issuer(key) as issuer:
        issuer.document = {"end_session_endpoint": f"{issuer.url}/bye"}
        issuer.sign_in_as("ada", ADA)
        async with team_server(database_url, own=config(issuer.url)) as server, server.client() as browser:
            away = await browser.get("/login/own")
            await browser.get("/login/own/callback", params=issuer.consent(away.headers["location"]))
            page = await browser.post("/logout")
            url = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.text)[1].replace("&amp;", "&")
            assert url.startswith(f"{issuer.url}/bye?")
            assert parse_qs(urlsplit(url).query)["post_logout_redirect_uri"] == [f"{server.url}/login"]


async def test_a_signed_in_user_links_a_second_identity(database_url, provider, key):
    with own_issuer(key) as issuer:
        issuer.sign_in_as("a-lovelace", "lovelace@example.org")
        providers = {"town": config(provider.url), "own": config(issuer.url)}
        async with team_server(database_url, **providers) as server:
            async with server.client() as browser:
                await sign_in(browser, provider)
                foreign = await browser.get("/login/own?link=1", headers={"sec-fetch-site": "cross-site"})
                assert (foreign.status_code, code_of(foreign)) == (403, "other_site")
                away = await browser.get("/login/own?link=1")
                await browser.get("/login/own/callback", params=issuer.consent(away.headers["location"]))
                me = (await browser.get("/api/v1/me")).json()
                assert sorted(one["provider"] for one in me["identities"]) == ["own", "town"]
                assert me["user"]["email"] == ADA
            async with server.client() as other:
                away = await other.get("/login/own")
                await other.get("/login/own/callback", params=issuer.consent(away.headers["location"]))
                assert (await other.get("/api/v1/me")).json()["user"]["id"] == me["user"]["id"]


async def test_linking_requires_a_signed_in_user(town):
    async with town.client() as browser:
        assert code_of(await browser.get("/login/town?link=1")) == "not_signed_in"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"state": "made-up"}, 422, "sign_in_state_unknown"),
        ({"state": ""}, 422, "sign_in_state_unknown"),
        ({"code": "made-up"}, 422, "sign_in_code_refused"),
        ({"code": ""}, 422, "sign_in_code_missing"),
    ],
)
async def test_a_callback_that_was_tampered_with(town, provider, change, status, code):
    provider.set_user("ada", email=ADA, email_verified=True)
    async with town.client() as browser:
        away = await browser.get("/login/town")
        query = provider.consent(away.headers["location"], "ada") | change
        back = await browser.get("/login/town/callback", params=query)
    assert (back.status_code, code_of(back)) == (status, code)
    assert "combine_session" not in set_cookies(back)


async def test_a_replayed_callback_signs_nobody_in(town, provider):
    provider.set_user("ada", email=ADA, email_verified=True)
    async with town.client() as browser:
        away = await browser.get("/login/town")
        query = provider.consent(away.headers["location"], "ada")
        attempt = browser.cookies["combine_sign_in"]
        assert (await browser.get("/login/town/callback", params=query)).status_code == 303
    async with town.client(cookies={"combine_sign_in": attempt}) as thief:
        back = await thief.get("/login/town/callback", params=query)
        assert (back.status_code, code_of(back)) == (422, "sign_in_state_unknown")
        assert (await thief.get("/api/v1/me")).status_code == 401


async def test_another_browser_cannot_finish_what_this_one_began(town, provider):
    provider.set_user("ada", email=ADA, email_verified=True)
    async with town.client() as browser, town.client() as victim:
        away = await browser.get("/login/town")
        query = provider.consent(away.headers["location"], "ada")
        back = await victim.get("/login/town/callback", params=query)
    assert code_of(back) == "sign_in_other_browser"


async def test_a_person_who_cancels_at_the_provider(town, provider):
    async with town.client() as browser:
        away = await browser.get("/login/town")
        back = await browser.get("/login/town/callback", params=provider.deny(away.headers["location"]))
    assert (back.status_code, code_of(back)) == (403, "sign_in_denied")


@pytest.mark.parametrize(
    ("claims", "status", "code"),
    [
        ({"nonce": "another"}, 401, "id_token_nonce"),
        ({"exp": 1_000_000_000}, 401, "id_token_expired"),
        ({"aud": "another"}, 401, "id_token_audience"),
        ({"email_verified": False}, 403, "email_not_verified"),
        ({"email": "ada@elsewhere.example"}, 403, "email_domain_not_allowed"),
    ],
)
async def test_a_provider_that_sends_a_wrong_token(database_url, key, claims, status, code):
    with own_issuer(key) as issuer:
        issuer.sign_in_as("ada", ADA)
        issuer.claims |= claims
        async with team_server(database_url, own=config(issuer.url)) as server, server.client() as browser:
            away = await browser.get("/login/own")
            back = await browser.get("/login/own/callback", params=issuer.consent(away.headers["location"]))
            assert (back.status_code, code_of(back)) == (status, code)
            assert "combine_session" not in set_cookies(back)
            assert (await browser.get("/api/v1/me")).status_code == 401


async def test_an_unavailable_provider_is_reported_and_tokens_still_work(database_url, key):
    with own_issuer(key) as issuer:
        issuer.sign_in_as("ada", ADA)
        async with team_server(database_url, own=config(issuer.url)) as server, server.client() as browser:
            away = await browser.get("/login/own")
            await browser.get("/login/own/callback", params=issuer.consent(away.headers["location"]))
            made = await browser.post("/api/v1/tokens", json={"name": "script", "scope": "read"})
            issuer.down = True
            async with server.client() as other:
                assert (await other.get("/login/own/callback?state=x&code=y")).status_code == 422
            token = {"authorization": f"Bearer {made.json()['secret']}"}
            async with server.client(headers=token) as script:
                assert (await script.get("/api/v1/projects")).status_code == 200


@pytest.mark.parametrize("next_path", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:x"])
async def test_signing_in_never_redirects_to_another_server(town, provider, next_path):
    provider.set_user("ada", email=ADA, email_verified=True)
    async with town.client() as browser:
        away = await browser.get("/login/town", params={"next": next_path})
        back = await browser.get("/login/town/callback", params=provider.consent(away.headers["location"], "ada"))
    assert back.headers["location"] == "/"


async def test_a_page_of_another_site_cannot_use_the_cookie(town, provider):
    async with town.client() as browser:
        await sign_in(browser, provider)
        for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
            refused = await browser.post("/api/v1/projects", json={"name": "Theirs"}, headers=headers)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "other_site")
            assert (await browser.post("/logout", headers=headers)).status_code == 403
        for headers in ({"sec-fetch-site": "same-origin"}, {"origin": town.url}, {}):
            made = await browser.post("/api/v1/projects", json={"name": f"Ours {headers}"}, headers=headers)
            assert made.status_code == 201


async def test_nothing_secret_of_a_session_is_stored(town, provider, database_url):
    async with town.client() as browser:
        await sign_in(browser, provider)
        secret = browser.cookies["combine_session"]
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT cast(s AS text) FROM sessions s").fetchall()
        left = connection.execute("SELECT count(*) FROM sign_ins").fetchone()
    assert len(rows) == 1
    assert secret not in rows[0][0]
    assert left == (0,)


async def test_the_link_of_local_mode_works_once(database_url):
    async with team_server(database_url) as server, server.client() as browser:
        assert "local mode" in (await browser.get("/login")).text
        link = f"/login/local?key={server.serving.one_time_links.issue()}"
        back = await browser.get(link)
        assert (back.status_code, back.headers["location"]) == (303, "/")
        assert (await browser.get("/api/v1/me")).json()["user"]["role"] == "admin"
        async with server.client() as other:
            spent = await other.get(link)
            assert (spent.status_code, code_of(spent)) == (403, "link_spent")
            assert (await other.get("/api/v1/me")).status_code == 401


async def test_the_link_of_local_mode_does_not_exist_for_a_team(town):
    async with town.client() as browser:
        assert code_of(await browser.get("/login/local?key=anything")) == "link_spent"


async def test_over_https_cookies_are_bound_to_the_host(database_url, key):
    with own_issuer(key) as issuer:
        issuer.sign_in_as("ada", ADA)
        settings = Settings(
            database_url=database_url,
            public_url="https://combine.example.org",
            oidc_providers={"own": config(issuer.url)},
            oidc_allowed_domains="example.org",
        )
        async with open_serving(settings, print) as serving, live_server(create_app(settings, serving=serving)) as live:
            headers = {"host": "combine.example.org"}
            async with live.client(headers=headers) as browser:
                away = await browser.get("/login/own")
                attempt = away.headers["set-cookie"]
                assert attempt.startswith("__Host-combine_sign_in=")
                assert "Secure" in attempt
                name_and_value = attempt.partition(";")[0]
                query = issuer.consent(away.headers["location"])
                async with live.client(headers=headers | {"cookie": name_and_value}) as over_https:
                    back = await over_https.get("/login/own/callback", params=query)
                session = back.headers.get_list("set-cookie")[0]
                assert session.startswith("__Host-combine_session=")
                assert "Secure" in session
                assert "Path=/" in session
                assert back.headers["strict-transport-security"]
