"""Where the smoke tests look: at the server of COMBINE_SMOKE_URL, or at servers of their own, in both modes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from api_server import new_database
from oidc_provider import oidc_provider
from serve_process import COMBINE, ServeProcess

import combine

# Read here, since no setting of the machine reaches a test.
_URL, _TOKEN, _VERSION = (os.environ.get(f"COMBINE_SMOKE_{name}", "") for name in ("URL", "TOKEN", "VERSION"))
_LOCAL, _PROVIDER = "local mode", "with a provider"
_OWN = {name: value for name, value in os.environ.items() if not name.startswith(("COMBINE_", "ANTHROPIC_", "OPENAI_"))}


@dataclass(frozen=True)
class Target:
    """A running server, and what is known of it."""

    url: str
    token: str
    version: str
    one_time_link: str | None = None
    """Of local mode, if it is a server of our own."""

    def browser(self) -> httpx2.Client:
        """Somebody nobody knows, with cookies."""
        return httpx2.Client(base_url=self.url, timeout=30, trust_env=False)


@pytest.fixture(scope="session", params=["the server given"] if _URL else [_LOCAL, _PROVIDER])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """What is looked at."""
    if _URL:
        assert _TOKEN, "COMBINE_SMOKE_TOKEN is required: a token of the server with the scope run"
        yield Target(_URL.rstrip("/"), _TOKEN, _VERSION or combine.__version__)
        return
    with ExitStack() as stack:
        url = stack.enter_context(new_database(request.getfixturevalue("shared_server_url")))
        folder = tmp_path_factory.mktemp("smoke")
        cache = request.config.cache
        assert cache is not None
        environment = {name: value for name, value in _OWN.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
            "COMBINE_DATABASE_URL": url,
            "COMBINE_DATA_DIR": str(folder),
            "PYTHONPYCACHEPREFIX": str(cache.mkdir("bytecode")),
        }
        if request.param == _PROVIDER:
            environment |= _with_a_provider(stack.enter_context(oidc_provider()).url)
        yield _started(stack, environment, folder)


@pytest.fixture(scope="session")
def api(target: Target) -> Iterator[httpx2.Client]:
    """The holder of the token."""
    with httpx2.Client(
        base_url=f"{target.url}/api/v1",
        headers={"Authorization": f"Bearer {target.token}"},
        timeout=30,
        trust_env=False,
    ) as client:
        yield client


def _with_a_provider(issuer: str) -> dict[str, str]:
    providers = {"house": {"client_id": "combine", "client_secret": "secret", "issuer": issuer}}
    return {"COMBINE_OIDC_PROVIDERS": json.dumps(providers), "COMBINE_OIDC_ALLOWED_DOMAINS": "example.org"}


def _started(stack: ExitStack, environment: dict[str, str], folder: Path) -> Target:
    server = ServeProcess(environment, folder)
    stack.callback(server.stop)
    server.start()
    made = subprocess.run(
        [COMBINE, "tokens", "create", "smoke", "--scope", "run"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    links = [word for line in server.output for word in line.split() if "/login/local?key=" in word]
    return Target(server.url, made.stdout.strip(), combine.__version__, links[0] if links else None)
