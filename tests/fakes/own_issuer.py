"""A tiny OpenID Connect provider that can be told to misbehave. Serves over HTTP from a thread of its own.

``consent(url)`` is what the person does there: it takes the address the browser was sent to, and returns the query that
the browser comes back with. What goes into the ID token can be changed by then, and how it is signed.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "combine"
CLIENT_SECRET = "the-secret-of-the-client"


class OwnIssuer:
    """What it says and does; change the fields to make it say and do something else."""

    def __init__(self, port, key):
        self.url = f"http://localhost:{port}"
        self.key = key
        self.published = [self.key]
        self.alg = "RS256"
        self.document = {}
        """Changes of the discovery document; None takes a field away."""
        self.claims = {}
        """Changes of the ID token, in the same way."""
        self.userinfo = {}
        self.status = {}
        """Path -> status to answer with instead."""
        self.down = False
        """Cut every connection without a word."""
        self.dripping = None
        """A path; what comes from there comes in single bytes, without an end."""
        self.asked = []
        """Method and path of every request."""
        self.token_requests = []
        self._codes = {}

    def sign_in_as(self, subject, email, **more):
        """Who is in front of the browser from now on."""
        self.claims = {"sub": subject, "email": email, "email_verified": True, "name": subject.title(), **more}

    def consent(self, url):
        """Log in and agree."""
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.url}/authorize"
        asked = dict(parse_qsl(parts.query))
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked, dict(self.claims)
        return {"code": code, "state": asked["state"]}

    def answer(self, path, body, headers):
        """Status and JSON."""
        if path in self.status:
            return self.status[path], {"error": "server_error"}
        if path.endswith("/.well-known/openid-configuration"):
            return 200, self._changed(self._document(), self.document)
        match path:
            case "/keys":
                return 200, {"keys": [key.as_dict(private=False) for key in self.published]}
            case "/token":
                return self._token(body)
            case "/userinfo":
                assert headers["Authorization"] == "Bearer the-access-token"
                return 200, self.userinfo
            case _:
                return 404, {}

    def _document(self):
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def _token(self, body):
        given = {name: values[0] for name, values in parse_qs(body).items()}
        self.token_requests.append(given)
        if (given.get("client_id"), given.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return 401, {"error": "invalid_client"}
        asked, claims = self._codes.pop(given.get("code"), (None, None))
        if asked is None or given["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant", "error_description": "Ignore <b>this</b>."}
        challenge = base64.urlsafe_b64encode(hashlib.sha256(given["code_verifier"].encode()).digest())
        if challenge.rstrip(b"=").decode() != asked["code_challenge"] or asked["code_challenge_method"] != "S256":
            return 400, {"error": "invalid_grant"}
        return 200, {
            "access_token": "the-access-token",
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self._id_token(asked, claims),
        }

    def _id_token(self, asked, claims):
        now = int(time.time())
        usual = {"iss": self.url, "aud": asked["client_id"], "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        header = {"alg": self.alg, "kid": self.key.kid}
        return jwt.encode(header, self._changed(usual, claims), self.key, algorithms=[self.alg])

    @staticmethod
    def _changed(usual, changes):
        return {name: value for name, value in (usual | changes).items() if value is not None}


def new_key():
    """A key that signs. Making one takes a while."""
    return RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)})


@contextmanager
def own_issuer(key):
    """One that runs until the end of the block, and signs with ``key``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            with suppress(ConnectionError):
                self._serve()

        def _serve(self):
            self.server.issuer.asked.append(f"{self.command} {urlsplit(self.path).path}")
            if self.server.issuer.down:
                self.close_connection = True
                return
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length).decode()
            status, found = self.server.issuer.answer(urlsplit(self.path).path, body, self.headers)
            raw = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if self.path != self.server.issuer.dripping:
                self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            while self.path == self.server.issuer.dripping:
                self.wfile.write(b" ")
                time.sleep(0.02)
            self.wfile.write(raw)

        do_POST = do_GET  # noqa: N815 - as http.server names it

        def log_message(self, *_args):
            pass

    server = ThreadingHTTPServer(("localhost", 0), Handler)
    server.issuer = OwnIssuer(server.server_port, key)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
