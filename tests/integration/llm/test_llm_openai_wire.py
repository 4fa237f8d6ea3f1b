"""What goes to OpenAI-compatible servers and how their chunks are read, over the real SDK."""

from dataclasses import replace

import pytest
from fake_llm import Error, FakeLLM, Reply

from combine.errors import PermanentLLMError
from combine.llm.openai import OpenAIProvider
from combine.llm.protocol import StopReason
from combine.records import Usage


async def test_the_request_on_the_wire(fake, provider_of, request_):
    await provider_of("openai").complete(request_)
    (received,) = fake.requests
    assert received.path == "/v1/chat/completions"
    assert received.body == {
        "model": "some-model",
        "max_tokens": 1000,
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [
            {"role": "system", "content": "You are careful."},
            {"role": "user", "content": f"{request_.prefix}\n\n{request_.task}"},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "doc", "strict": True, "schema": request_.schema},
        },
    }


@pytest.mark.parametrize(
    ("base_url", "limit"),
    [
        (None, "max_completion_tokens"),
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://mine.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("http://127.0.0.1:11434/v1", "max_tokens"),
        ("https://openai.com.evil.example/v1", "max_tokens"),
    ],
)
async def test_the_limit_goes_under_the_name_the_server_knows(request_, base_url, limit):
    provider = OpenAIProvider(api_key="k", base_url=base_url)
    body = provider._body(request_)
    assert {name for name in body if name.startswith("max_")} == {limit}
    await provider.close()


async def test_what_the_servers_cache_served_is_counted_apart(provider_of, request_):
    provider = provider_of("openai")
    long = replace(request_, prefix="<brief>" + "words " * 2000 + "</brief>")
    first = (await provider.complete(long)).usage
    repair = (await provider.complete(replace(long, task=long.task + "<draft>{}</draft>"))).usage
    assert first.cache_read_tokens == 0
    assert first.input_tokens > 3000
    assert repair.cache_read_tokens > 2500
    assert repair.input_tokens < 500


@pytest.mark.parametrize("usage", ["null", "omitted"])
async def test_missing_counts_are_estimated_and_said_so(fake, provider_of, request_, usage):
    fake.script = [Reply("x" * 350, usage=usage)]
    reply = await provider_of("openai").complete(request_)
    assert reply.usage.output_tokens == 100
    assert reply.usage.input_tokens > 10
    assert "estimated" in reply.detail


async def test_counts_are_the_stated_ones(fake, provider_of, request_):
    fake.script = [Reply("x" * 400)]
    reply = await provider_of("openai").complete(request_)
    assert reply.usage == Usage(input_tokens=len(fake.requests[0].prompt) // 4, output_tokens=100)
    assert reply.detail is None
    assert reply.request_id == "chatcmpl-1"


@pytest.mark.parametrize(
    ("stop", "reason", "detail"),
    [
        ("stop", StopReason.END, None),
        ("length", StopReason.MAX_TOKENS, None),
        ("content_filter", StopReason.REFUSAL, "stopped by the provider's content filter"),
        ("tool_calls", StopReason.OTHER, "finish reason: tool_calls"),
        ("never_heard_of", StopReason.OTHER, "finish reason: never_heard_of"),
    ],
)
async def test_finish_reasons(fake, provider_of, request_, *, stop, reason, detail):
    fake.script = [Reply("{}", stop=stop)]
    reply = await provider_of("openai").complete(request_)
    assert (reply.stop_reason, reply.detail) == (reason, detail)


async def test_a_reasoning_models_thoughts_are_not_the_text(fake, provider_of, request_):
    fake.script = [Reply('{"a": "b"}', thinking='{"a": "no"}')]
    assert (await provider_of("openai").complete(request_)).text == '{"a": "b"}'


async def test_without_a_key_a_local_server_is_served(request_):
    async with FakeLLM() as open_to_all:
        provider = OpenAIProvider(api_key=None, base_url=open_to_all.openai_url)
        assert (await provider.complete(request_)).text == '{"a": "text"}'
        await provider.close()
        assert open_to_all.requests[0].headers["authorization"] == "Bearer none"


@pytest.mark.parametrize("old", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize(
    "message",
    ["Unsupported parameter: '{old}'. Use '{new}' instead.", "Unrecognized request argument supplied: {old}"],
)
async def test_the_other_name_of_the_limit_is_used_once_demanded_and_kept(fake, provider_of, request_, old, message):
    new = "max_tokens" if old == "max_completion_tokens" else "max_completion_tokens"

    def answer(received):
        return Error(400, message=message.format(old=old, new=new)) if old in received.body else Reply("{}")

    fake.script = answer
    provider = provider_of("openai")
    provider._provider._limit_name = old
    first, second = [await provider.complete(request_) for _ in range(2)]
    assert (first.attempts, second.attempts) == (1, 1)
    assert [old in one.body for one in fake.requests] == [True, False, False]
    assert [one.body.get(new) for one in fake.requests] == [None, 1000, 1000]


@pytest.mark.parametrize(
    ("message", "requests"), [("max_tokens is too large: 1000", 1), ("Use another: max_tokens unknown", 2)]
)
async def test_the_name_of_the_limit_is_changed_at_most_once_per_request(
    fake, provider_of, request_, message, requests
):
    fake.inject(Error(400, message=message), times=9)
    with pytest.raises(PermanentLLMError):
        await provider_of("openai").complete(request_)
    assert len(fake.requests) == requests
