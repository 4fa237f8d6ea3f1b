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


BLOCKED = "<!DOCTYPE html><html><head><title>Attention</title><style>p {}</style></head><body><p>You are blocked</p>"


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504, 529])
def test_the_providers_words_are_quoted_in_every_refusal(status):
    error = refused(endpoint(), Refusal(status, type="some_error", message="The quick brown fox", model="m"))
    assert "The quick brown fox" in error.message


@pytest.mark.parametrize(
    "secret",
    [KEY, "sk-proj-abcdef123456", "sk-ab***************wxyz", "Bearer abc.def.ghi", "gsk_1234567890abcdef"],
)
def test_what_looks_like_a_key_is_masked(secret):
    error = refused(endpoint(), Refusal(401, message=f"Incorrect API key provided: {secret}. Find yours online."))
    assert secret.removeprefix("Bearer ") not in error.message
    assert "Incorrect API key provided" in error.message


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (302, "protocol_mismatch"),
        (400, "protocol_mismatch"),
        (401, "protocol_mismatch"),
        (403, "protocol_mismatch"),
        (404, "endpoint_not_found"),
        (407, "protocol_mismatch"),
        (413, "request_too_large"),
        (429, "rate_limited"),
        (451, "protocol_mismatch"),
        (502, "provider_error"),
        (503, "provider_overloaded"),
    ],
)
@pytest.mark.parametrize(
    "page", [BLOCKED, "\n<html>You are blocked</html>", '<?xml version="1.0"?> <html>You are blocked']
)
def test_a_web_page_is_named_as_one(status, code, page):
    error = refused(endpoint(), Refusal(status, message=page, model="m"))
    assert error.code == code
    assert "You are blocked" in error.message
    assert "<" not in error.message
    if code == "protocol_mismatch" or status >= 429:
        assert "web page" in error.message
        assert "between here and the provider" in error.hint


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached. Please try again in 7m12s.", 432),
        ("Please try again in 1h2m3.5s. Visit ...", 3723.5),
        ("try again in 250ms", 0.25),
        ("Please retry in 34.07s.", 34.07),
        ("Try again in 2 hours and 5 minutes", 7500),
        ("please wait 10 seconds", 10),
        ("retry after 5 minutes", 300),
        ("Please try again later", None),
        ("try again in 5 apples", None),
    ],
)
def test_a_wait_in_words_counts_as_the_header_does(message, seconds):
    error = refused(endpoint(), Refusal(429, message=message))
    assert error.details.get("retry_after_s") == (None if seconds is None else pytest.approx(seconds))
    with_header = refused(endpoint(), Refusal(429, message=message, headers={"retry-after": "20"}))
    assert with_header.details["retry_after_s"] == pytest.approx(max(20, seconds or 0))


@pytest.mark.parametrize(
    "message",
    [
        "Rate limit reached for requests per day (RPD): limit 200, used 200",
        "Rate limit exceeded: free-models-per-day",
        "Quota exceeded for GenerateRequestsPerDayPerProjectPerModel",
        "Your daily quota is exhausted",
        "tokens per day (TPD): Limit 100000",
    ],
)
def test_a_limit_per_day_is_named(message):
    error = refused(endpoint(), Refusal(429, message=message))
    assert (type(error), error.code) == (TransientLLMError, "rate_limited")
    assert error.details["limit_per_day"] is True
    assert message in error.message


def test_a_limit_per_minute_is_not_one_per_day():
    error = refused(endpoint(), Refusal(429, message="Rate limit reached for tokens per min (TPM) today"))
    assert "limit_per_day" not in error.details


@pytest.mark.parametrize(
    "message",
    [
        "maximum context length is 32768, you requested 35681 tokens (3681 in the messages, 32000 in the completion)",
        "'max_tokens' is too large: 32000. The maximum context length is 32768 tokens",
        "input length and `max_tokens` exceed context limit: 188240 + 32000 > 200000",
        "max_tokens: 32,000 > 8192, the maximum allowed number of output tokens",
    ],
)
def test_our_own_output_limit_in_a_refusal_is_named(message):
    error = refused(endpoint(), Refusal(400, message=message, max_output_tokens=32000))
    assert "COMBINE_LLM_MAX_OUTPUT_TOKENS" in error.hint
    other = refused(endpoint(), Refusal(400, message=message, max_output_tokens=3200))
    assert "COMBINE_LLM_MAX_OUTPUT_TOKENS" not in other.hint
