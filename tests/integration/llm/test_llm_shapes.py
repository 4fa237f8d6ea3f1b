"""Replies in shapes that compatible servers and gateways send."""

import json

import pytest
from fake_llm import Chunks, Error, Whole

from combine.errors import LLMError, PermanentLLMError, TransientLLMError
from combine.llm.protocol import StopReason
from combine.llm.retry import TEXT_IN_REASONING

BOTH = pytest.mark.parametrize("name", ["anthropic", "openai"])
TEXT = '{"a": "b"}'
USAGE = {"prompt_tokens": 50, "completion_tokens": 9}


def chunk(finish=None, **delta):
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def streamed(*chunks):
    return Chunks([*chunks, chunk("stop"), {"choices": [], "usage": USAGE}])


@pytest.mark.parametrize(
    "contents",
    [
        [[{"type": "text", "text": TEXT}]],
        [[{"type": "text", "text": '{"a": '}, {"type": "text", "text": '"b"}'}]],
        [[{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}], TEXT],
        [[{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": '{"a": '}], '"b"}'],
        [[{"type": "reasoning", "text": "Hm."}, TEXT]],
        [{"type": "output_text", "text": TEXT}],
        [[{"type": "text", "text": {"value": TEXT}}]],
        [None, TEXT, [], 7, [None, 3]],
    ],
)
async def test_content_as_parts(fake, provider_of, request_, contents):
    fake.script = [streamed(*(chunk(content=one) for one in contents))]
    reply = await provider_of("openai").complete(request_)
    assert (reply.text, reply.stop_reason, reply.detail) == (TEXT, StopReason.END, None)


OPENAI_WHOLE = {
    "object": "chat.completion",
    "model": "m-2",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
    "usage": USAGE,
}
ANTHROPIC_WHOLE = {
    "type": "message",
    "model": "m-2",
    "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": TEXT}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 50, "output_tokens": 9},
}


@pytest.mark.parametrize(("name", "body"), [("openai", OPENAI_WHOLE), ("anthropic", ANTHROPIC_WHOLE)])
@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "text/plain"])
async def test_a_whole_reply_instead_of_a_stream(fake, provider_of, request_, *, name, body, kind):
    fake.script = [Whole(body, kind)]
    reply = await provider_of(name).complete(request_)
    assert (reply.text, reply.stop_reason, reply.model, reply.detail) == (TEXT, StopReason.END, "m-2", None)
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (50, 9)


async def test_a_whole_reply_that_was_cut_is_truncated(fake, provider_of, request_):
    fake.script = [Whole({"choices": [{"message": {"content": '{"a"'}, "finish_reason": "length"}], "usage": USAGE})]
    assert (await provider_of("openai").complete(request_)).stop_reason is StopReason.MAX_TOKENS


@BOTH
@pytest.mark.parametrize(
    ("error", "family", "code"),
    [
        ({"message": "The kitchen burns", "code": 429}, TransientLLMError, "rate_limited"),
        ({"message": "The kitchen burns", "type": "overloaded_error"}, TransientLLMError, "provider_overloaded"),
        ("The kitchen burns", TransientLLMError, "provider_error"),
        ({"message": "The kitchen burns", "code": 400}, PermanentLLMError, "request_rejected"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
async def test_an_error_with_status_200_is_that_error(
    fake, provider_of, request_, *, name, error, family, code, wrapped
):
    body = {"type": "error", "error": error}
    fake.inject(Whole([body] if wrapped else body), times=2)
    with pytest.raises(family) as caught:
        await provider_of(name, retries=1).complete(request_)
    assert caught.value.code == code
    assert "The kitchen burns" in caught.value.message
    assert len(fake.requests) == (2 if family is TransientLLMError else 1)


@BOTH
@pytest.mark.parametrize("body", [{"status": "fine"}, {}, [], 7, None, "<html><title>Sign in</title></html>", "oops"])
async def test_a_body_that_is_neither_is_quoted(fake, provider_of, request_, name, body):
    fake.inject(Whole(body))
    with pytest.raises(PermanentLLMError) as caught:
        await provider_of(name).complete(request_)
    assert caught.value.code == "protocol_mismatch"
    assert "<" not in caught.value.message


@pytest.mark.parametrize(
    "failing",
    [
        [chunk(content='{"a'), chunk("error")],
        [chunk(content='{"a'), chunk("error"), {"choices": [], "usage": USAGE}],
        [{"choices": [{"delta": {"content": "x"}, "error": {"code": 502, "message": "Upstream died"}}]}],
        [{"choices": [{"delta": {}, "finish_reason": "error", "error": "Upstream died"}]}],
        [{"object": "error", "message": "Upstream died", "code": 500}],
        [chunk(content="x"), chunk("network_error")],
    ],
)
async def test_a_failure_inside_the_stream_is_temporary(fake, provider_of, request_, failing):
    fake.inject(Chunks(failing), times=2)
    with pytest.raises(TransientLLMError) as caught:
        await provider_of("openai", retries=1).complete(request_)
    assert caught.value.code == "provider_error"
    assert caught.value.details["attempts"] == 2
    if "Upstream died" in json.dumps(failing):
        assert "Upstream died" in caught.value.message
    fake.inject(Chunks(failing))
    assert (await provider_of("openai").complete(request_)).text == '{"a": "text"}'


async def test_a_failure_as_stop_reason_is_temporary(fake, provider_of, request_):
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 90, "output_tokens": 1}}}
    delta = {"type": "message_delta", "delta": {"stop_reason": "error"}, "usage": {"output_tokens": 4}}
    fake.inject(Chunks([start, delta, {"type": "message_stop"}]), times=2)
    with pytest.raises(TransientLLMError) as caught:
        await provider_of("anthropic", retries=1).complete(request_)
    assert caught.value.code == "provider_error"
    assert caught.value.details["usage"].input_tokens == 180


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("content", ["", None, "\n\n", []])
async def test_a_reply_only_in_the_reasoning_is_read(fake, provider_of, request_, field, content):
    fake.script = [streamed(chunk(content=content, **{field: '{"a": '}), chunk(**{field: '"b"}'}))]
    reply = await provider_of("openai").complete(request_)
    assert (reply.text, reply.stop_reason) == (TEXT, StopReason.END)
    assert TEXT_IN_REASONING in reply.detail


async def test_a_reply_only_in_thinking_is_read(fake, provider_of, request_):
    fake.script = [Whole({**ANTHROPIC_WHOLE, "content": [{"type": "thinking", "thinking": TEXT}]})]
    reply = await provider_of("anthropic").complete(request_)
    assert reply.text == TEXT
    assert TEXT_IN_REASONING in reply.detail


@BOTH
@pytest.mark.parametrize(
    "oddity",
    [
        {"choices": 7},
        {"choices": [None, 3, "x", []]},
        {"choices": [{"delta": [1], "finish_reason": {"a": 1}}]},
        {"model": 7, "id": [], "usage": "x"},
        {"type": "message_start", "message": 7},
        {"type": "content_block_delta", "delta": [1]},
        {"type": "content_block_start", "content_block": {"type": "text", "text": {"x": [1]}}},
        {"type": "message_delta", "delta": 7, "usage": [1]},
    ],
)
async def test_no_shape_is_more_than_an_error_of_ours(fake, provider_of, request_, name, oddity):
    fake.inject(Chunks([{"type": "ping", **oddity}]))
    with pytest.raises(LLMError) as caught:
        await provider_of(name, retries=0).complete(request_)
    assert caught.value.code == "stream_cut"


async def test_nesting_without_end_is_corrupt(fake, provider_of, request_):
    fake.inject(Whole("[" * 200_000))
    with pytest.raises(LLMError) as caught:
        await provider_of("openai", retries=0).complete(request_)
    assert caught.value.code == "protocol_mismatch"


async def test_broken_compression_is_an_error_of_ours(fake, provider_of, request_):
    fake.inject(Error(500, body="no gzip", headers={"content-encoding": "gzip"}))
    with pytest.raises(LLMError) as caught:
        await provider_of("openai", retries=0).complete(request_)
    assert caught.value.code == "stream_cut"
