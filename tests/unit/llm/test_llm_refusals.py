import itertools
import socket
import ssl
from datetime import UTC, datetime

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from combine.errors import PermanentLLMError, TransientLLMError
from combine.llm.faults import Endpoint, broken
from combine.llm.refusals import Refusal, body_message, refused, stream_status

KEY = "sk-very-secret"
NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def endpoint(base_url=None):
    return Endpoint("Anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", base_url, KEY)


PERMANENT = [
    (Refusal(400, message="max_tokens: too large"), "request_rejected"),
    (Refusal(400, message="prompt is too long: 210000 tokens > 200000 maximum"), "prompt_too_long"),
    (Refusal(400, code="context_length_exceeded", message="..."), "prompt_too_long"),
    (Refusal(400, message="The schema is too complex"), "schema_rejected"),
    (Refusal(400, message="The compiled grammar is too large"), "schema_rejected"),
    (Refusal(401, message=f"bad key {KEY}"), "api_key_rejected"),
    (Refusal(402), "billing_required"),
    (Refusal(403), "permission_denied"),
    (Refusal(404, type="not_found_error", message="model: x", model="x"), "model_not_found"),
    (Refusal(404, message="model 'x' not found, try pulling it first", model="x"), "model_not_found"),
    (Refusal(404, message="<html>Not Found</html>"), "endpoint_not_found"),
    (Refusal(413), "request_too_large"),
    (Refusal(422, message="unknown field"), "request_rejected"),
    (Refusal(429, code="insufficient_quota"), "billing_required"),
    (Refusal(429, type="rate_limit_error", code="enforced_spend_limit_reached"), "spend_limit_reached"),
    (Refusal(308, message="moved"), "request_rejected"),
]
TRANSIENT = [
    (Refusal(408), "provider_timeout"),
    (Refusal(409), "provider_error"),
    (Refusal(429, type="rate_limit_error"), "rate_limited"),
    (Refusal(500), "provider_error"),
    (Refusal(502, message="<html>Bad Gateway</html>"), "provider_error"),
    (Refusal(503), "provider_overloaded"),
    (Refusal(504), "provider_timeout"),
    (Refusal(529, type="overloaded_error"), "provider_overloaded"),
]


@pytest.mark.parametrize(
    ("refusal", "code", "family"),
    [(*case, PermanentLLMError) for case in PERMANENT] + [(*case, TransientLLMError) for case in TRANSIENT],
)
def test_each_refusal_has_its_family_its_code_and_a_next_step(refusal, code, family):
    error = refused(endpoint(), refusal)
    assert type(error) is family
    assert error.code == code
    assert error.hint
    assert error.details["status"] == refusal.status
    assert KEY not in f"{error} {error.message} {error.hint} {error.details}"


@given(st.integers(300, 599), st.text(max_size=20), st.none() | st.text(max_size=10), st.none() | st.text(max_size=10))
def test_any_refusal_is_an_error_of_ours_without_the_key(status, message, kind, code):
    error = refused(endpoint(), Refusal(status, kind, code, f"{message} {KEY} {message}"))
    assert isinstance(error, PermanentLLMError | TransientLLMError)
    assert KEY not in error.message
    if status >= 500:
        assert isinstance(error, TransientLLMError)


def test_a_host_is_named_without_its_credentials():
    error = refused(endpoint("https://user:hunter2@gateway.example:8443/x"), Refusal(500, message="see http://a:b@c/"))
    assert "gateway.example:8443" in error.message
    assert "hunter2" not in error.message
    assert "a:b@" not in error.message


def test_a_long_story_is_cut_short():
    error = refused(endpoint(), Refusal(500, message="word\n" * 1000))
    assert len(error.message) < 400
    assert "\n" not in error.message


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (("overloaded_error",), 529),
        ((None, "rate_limit_error"), 429),
        (("503", "x"), 503),
        (("12", None), 500),
        (("?",), 500),
    ],
)
def test_an_error_inside_a_stream_gets_the_status_it_would_have_had(names, status):
    assert stream_status(*names) == status


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "m"}}, "m"),
        ({"message": "m"}, "m"),
        ({"error": "m"}, "m"),
        ({"detail": 1}, '{"detail": 1}'),
        ("m", "m"),
        (None, ""),
        ([1], ""),
    ],
)
def test_the_sentence_of_an_error_body_is_found_in_any_shape(body, message):
    assert body_message(body) == message


def caused(*errors):
    """The first error, with the others as its chain of causes."""
    for outer, inner in itertools.pairwise(errors):
        outer.__cause__ = inner
    return errors[0]


@pytest.mark.parametrize(
    ("error", "streaming", "family", "code"),
    [
        (caused(httpx2.ConnectError("x"), OSError(), ConnectionRefusedError()), False, "t", "connection_failed"),
        (caused(httpx2.ConnectError("x"), socket.gaierror(-2, "unknown")), False, "t", "dns_failed"),
        (caused(httpx2.ConnectError("x"), ssl.SSLCertVerificationError("self-signed")), False, "p", "tls_failed"),
        (caused(httpx2.ConnectError("x"), ssl.SSLEOFError("closed")), False, "t", "connection_failed"),
        (caused(httpx2.ConnectTimeout("x"), TimeoutError()), False, "t", "connection_failed"),
        (caused(httpx2.ConnectTimeout("x"), ssl.SSLWantReadError()), False, "t", "connection_failed"),
        (caused(httpx2.ReadTimeout("x"), TimeoutError()), False, "t", "provider_timeout"),
        (caused(httpx2.ReadTimeout("x"), TimeoutError()), True, "t", "stream_stalled"),
        (httpx2.RemoteProtocolError("peer closed"), True, "t", "stream_cut"),
        (httpx2.ReadError("x"), True, "t", "stream_cut"),
        (httpx2.ReadError("x"), False, "t", "connection_failed"),
        (caused(httpx2.ReadError("x"), ssl.SSLError("bad record")), True, "t", "stream_cut"),
        (httpx2.UnsupportedProtocol("x"), False, "p", "base_url_invalid"),
    ],
)
def test_each_broken_connection_has_its_family_its_code_and_a_next_step(error, streaming, family, code):
    found = broken(endpoint(), error, streaming=streaming)
    assert type(found) is {"t": TransientLLMError, "p": PermanentLLMError}[family]
    assert found.code == code
    assert found.hint
