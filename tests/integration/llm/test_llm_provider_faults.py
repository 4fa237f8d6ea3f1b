"""Each fault a provider can have, over the real SDKs: which error, which code, how many requests."""

import asyncio
import threading

import pytest
from fake_llm import Broken, Error, FakeLLM, Reply

from combine.errors import PermanentLLMError, TransientLLMError

BOTH = pytest.mark.parametrize("name", ["anthropic", "openai"])
KEY = "sk-test-very-secret"


def everything(error):
    return f"{error} {error.message} {error.hint} {error.details}"


@BOTH
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Error(400, "invalid_request_error", "max_tokens: must be positive"), "request_rejected"),
        (Error(400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"), "prompt_too_long"),
        (Error(400, "invalid_request_error", "The schema is too complex."), "schema_rejected"),
        (Error(402, "billing_error", "no credit"), "billing_required"),
        (Error(403, "permission_error", "not yours"), "permission_denied"),
        (Error(404, "not_found_error", "model: some-model"), "model_not_found"),
        (Error(404, body="<html>404</html>"), "endpoint_not_found"),
        (Error(413, "request_too_large", "32 MB"), "request_too_large"),
        (Error(422, "invalid_request_error", "unknown field"), "request_rejected"),
        (Error(429, "rate_limit_error", "cap", code="enforced_spend_limit_reached"), "spend_limit_reached"),
        (Broken("page"), "protocol_mismatch"),
        (Broken("error_event", error=Error(400, "invalid_request_error", "no")), "request_rejected"),
    ],
)
async def test_what_trying_again_cannot_mend_is_asked_once(fake, provider_of, request_, *, name, fault, code):
    fake.inject(fault, times=9)
    with pytest.raises(PermanentLLMError) as caught:
        await provider_of(name).complete(request_)
    assert caught.value.code == code
    assert caught.value.hint
    assert len(fake.requests) == 1
    assert KEY not in everything(caught.value)


@BOTH
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Error(408, "timeout_error"), "provider_timeout"),
        (Error(409, "conflict_error"), "provider_error"),
        (Error(429, "rate_limit_error"), "rate_limited"),
        (Error(500), "provider_error"),
        (Error(502, body="<html>Bad Gateway</html>"), "provider_error"),
        (Error(503), "provider_overloaded"),
        (Error(504), "provider_timeout"),
        (Error(529, "overloaded_error"), "provider_overloaded"),
        (Broken("cut", after=0), "stream_cut"),
        (Broken("cut"), "stream_cut"),
        (Broken("no_stop"), "stream_cut"),
        (Broken("corrupt"), "stream_corrupt"),
        (Broken("invalid_utf8"), "stream_corrupt"),
        (Broken("error_event"), "provider_overloaded"),
        (Broken("error_event", error=Error(500, "api_error")), "provider_error"),
        (Broken("error_event", error=Error(500, "never_heard_of")), "provider_error"),
    ],
)
async def test_what_may_pass_is_tried_again_and_then_reported(fake, provider_of, request_, *, name, fault, code):
    provider = provider_of(name)
    fake.inject(fault, times=2)
    reply = await provider.complete(request_)
    assert (reply.text, reply.attempts) == ('{"a": "text"}', 3)

    fake.inject(fault, times=4)
    with pytest.raises(TransientLLMError) as caught:
        await provider.complete(request_)
    # A cut before the first event cannot be told from a connection that never worked.
    assert caught.value.code in ({code, "connection_failed"} if fault == Broken("cut", after=0) else {code})
    assert caught.value.hint
    assert caught.value.details["attempts"] == 4
    assert len(fake.requests) == 3 + 4


@BOTH
@pytest.mark.parametrize(("kind", "code"), [("stall", "stream_stalled"), ("silence", "provider_timeout")])
async def test_a_silent_provider_is_left_after_the_read_timeout(fake, provider_of, request_, *, name, kind, code):
    fake.inject(Broken(kind), times=4)
    with pytest.raises(TransientLLMError) as caught:
        await provider_of(name, read_timeout=2.0, retries=1).complete(request_)
    assert caught.value.code == code
    assert len(fake.requests) == 2
    for received in fake.requests:
        assert await asyncio.to_thread(received.gone.wait, 20)


@BOTH
async def test_a_wrong_key_is_not_repeated(fake, provider_of, request_, name):
    provider = provider_of(name, key="sk-wrong-and-secret")
    with pytest.raises(PermanentLLMError) as caught:
        await provider.complete(request_)
    assert caught.value.code == "api_key_rejected"
    assert f"{name.upper()}_API_KEY" in caught.value.hint
    assert "sk-wrong" not in everything(caught.value)
    health = await provider.check()
    assert not health.ok
    assert "sk-wrong" not in health.message


@BOTH
async def test_a_key_that_an_error_repeats_is_cut_out(fake, provider_of, request_, name):
    fake.inject(Error(500, message=f"upstream said: Bearer {KEY} at http://u:p4ss@inner/"))
    with pytest.raises(TransientLLMError) as caught:
        await provider_of(name, retries=0).complete(request_)
    assert KEY not in everything(caught.value)
    assert "p4ss" not in everything(caught.value)


@BOTH
async def test_a_model_the_account_does_not_have_is_named(fake, provider_of, request_, name):
    fake.models = ["another-model"]
    with pytest.raises(PermanentLLMError) as caught:
        await provider_of(name).complete(request_)
    assert caught.value.code == "model_not_found"
    assert "some-model" in caught.value.message


@BOTH
@pytest.mark.parametrize("headers", [{"retry-after": "3600"}, {"retry-after-ms": "3600000"}])
async def test_an_hour_is_not_slept(fake, provider_of, request_, name, headers):
    fake.inject(Error(429, "rate_limit_error", headers=headers))
    with pytest.raises(TransientLLMError) as caught:
        await provider_of(name).complete(request_)
    assert caught.value.code == "retry_after_too_long"
    assert caught.value.details["retry_after_s"] == 3600
    assert len(fake.requests) == 1


@BOTH
@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Rate limit reached for requests per day (RPD)", "rate_limited"),
        ("Too many. Please try again in 7m12s.", "retry_after_too_long"),
    ],
)
async def test_a_limit_per_day_or_a_long_wait_in_words_is_not_retried(
    fake, provider_of, request_, *, name, message, code
):
    fake.inject(Error(429, "rate_limit_error", message), times=9)
    with pytest.raises(TransientLLMError) as caught:
        await provider_of(name).complete(request_)
    assert caught.value.code == code
    assert message.rstrip(".") in caught.value.message
    assert len(fake.requests) == 1


@BOTH
async def test_a_short_wait_is_kept(fake, provider_of, request_, name):
    fake.inject(Error(429, "rate_limit_error", headers={"retry-after": "0.3"}))
    seen = []
    await provider_of(name).complete(request_, seen.append)
    first, second = fake.requests
    assert second.at - first.at >= 0.3
    assert [one.waiting_s >= 0.3 for one in seen if one.waiting_s is not None] == [True]


@BOTH
async def test_no_connection_is_told_from_a_wrong_answer(provider_of, request_, name):
    with FakeLLM() as gone:
        url = gone.url
    provider = provider_of(name, base_url=url, retries=1)
    with pytest.raises(TransientLLMError) as caught:
        await provider.complete(request_)
    assert caught.value.code == "connection_failed"
    assert caught.value.details["attempts"] == 2
    assert not (await provider.check()).ok


@BOTH
async def test_https_to_a_plain_server_is_a_matter_of_settings(fake, provider_of, request_, name):
    with pytest.raises(PermanentLLMError) as caught:
        await provider_of(name, base_url=fake.url.replace("http:", "https:")).complete(request_)
    assert caught.value.code == "tls_failed"


@BOTH
async def test_what_a_cut_stream_cost_is_not_forgotten(fake, provider_of, request_, name):
    long = Reply("x" * 8000, pieces=10)
    fake.script = [long]
    provider = provider_of(name)
    whole = (await provider.complete(request_)).usage
    fake.inject(Broken("cut", after=8, reply=long))
    both = (await provider.complete(request_)).usage
    assert both.output_tokens > whole.output_tokens * 1.3
    fake.inject(Broken("cut", after=8, reply=long), times=4)
    with pytest.raises(TransientLLMError) as caught:
        await provider.complete(request_)
    lost = caught.value.details["usage"]
    assert lost.output_tokens > whole.output_tokens
    assert lost.input_tokens + lost.cache_read_tokens > 0


@BOTH
@pytest.mark.parametrize("when", ["while streaming", "before the answer", "while waiting to retry"])
async def test_cancelling_hangs_up(fake, provider_of, request_, name, when):
    arrived, begun = threading.Event(), asyncio.Event()
    answers = {
        "while streaming": Reply("x" * 1000, pieces=1000, piece_delay_s=0.05),
        "before the answer": Reply("x", delay_s=60.0),
        "while waiting to retry": Error(429, headers={"retry-after": "30"}),
    }

    def answer(received):
        arrived.set()
        return answers[when]

    fake.script = answer
    task = asyncio.create_task(provider_of(name).complete(request_, lambda progress: begun.set()))
    assert await asyncio.to_thread(arrived.wait, 20)
    if when != "before the answer":
        await asyncio.wait_for(begun.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 20)
    (received,) = fake.requests
    assert await asyncio.to_thread(received.done.wait, 20)
    assert received.gone.is_set() is (when != "while waiting to retry")


@BOTH
async def test_a_server_that_lists_no_models_is_still_there(fake, provider_of, name):
    health = await provider_of(name, base_url=f"{fake.url}/elsewhere").check()
    assert health.ok
    assert "models" in health.message
