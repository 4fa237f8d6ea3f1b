"""``oidc-provider-mock`` as a process of its own, and the browser of somebody who signs in there."""

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import httpx2
from reserved_port import reserved_port


@dataclass
class OidcProviderProcess:
    """A running provider. It lets in any client, and anybody who says who they are."""

    url: str

    def set_user(self, subject, **claims):
        """What it says of somebody from now on."""
        httpx2.put(f"{self.url}/users/{subject}", json=claims).raise_for_status()

    def consent(self, url, subject):
        """Choose who to be on the provider's page; the query that the browser comes back with."""
        return self._back(httpx2.post(url, data={"sub": subject}))

    def deny(self, url):
        """Refuse on the provider's page; the query that the browser comes back with."""
        return self._back(httpx2.post(url, data={"action": "deny"}))

    def _back(self, response):
        assert response.status_code == 302, response.text
        return dict(parse_qsl(urlsplit(response.headers["location"]).query))


@contextmanager
def oidc_provider():
    """One that runs until the end of the block."""
    with reserved_port() as port:
        command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=os.environ | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
        )
        provider = OidcProviderProcess(f"http://127.0.0.1:{port}")
        try:
            _wait_until_it_answers(provider, process)
            yield provider
        finally:
            process.terminate()
            process.communicate()


def _wait_until_it_answers(provider, process):
    for _ in range(600):
        try:
            found = httpx2.get(f"{provider.url}/.well-known/openid-configuration").json()
        except httpx2.TransportError:
            assert process.poll() is None, re.sub(r"\s+", " ", process.stderr.read())
            time.sleep(0.05)
        else:
            assert found["issuer"] == provider.url
            return
    raise TimeoutError
