"""What goes to Anthropic and how its events are read, over the real SDK."""

from dataclasses import replace

import anthropic
import pytest
from fake_llm import Reply

from combine.errors import PermanentLLMError
from combine.llm.protocol import StopReason
from combine.records import Usage


async def test_the_request_on_the_wire(fake, provider_of, request_):
    await provider_of("anthropic").complete(request_)
    (received,) = fake.requests
    assert received.path == "/v1/messages"
    assert received.body == {
        "model": "some-model",
        "max_tokens": 1000,
        "stream": True,
        "system": [{"type": "text", "text": "You are careful."}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": request_.prefix, "cache_control": {"type": "ephemeral"}},
                    {"type": "text", "text": request_.task},
                ],
            }
        ],
        "output_config": {"format": {"type": "json_schema", "schema": request_.schema}},
    }


async def test_the_schema_is_brought_within_the_limits(fake, provider_of, request_):
    schema = {
        "type": "object",
        "properties": {
            "names": {"type": "array", "maxItems": 5, "items": {"type": "string", "minLength": 2}},
            "count": {"type": "integer", "minimum": 1},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["names", "count", "note"],
    }
    reply = await provider_of("anthropic").complete(replace(request_, schema=schema))
    assert reply.text == '{"names": [], "count": 0, "note": "text"}'
    sent = fake.requests[0].schema
    assert sent["additionalProperties"] is False
    assert "minimum" not in sent["properties"]["count"]
    assert "minimum: 1" in sent["properties"]["count"]["description"]
    assert schema["properties"]["count"] == {"type": "integer", "minimum": 1}


async def test_a_schema_the_sdk_cannot_send_is_a_fault_of_the_schema(fake, provider_of, request_):
    schema = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}
    with pytest.raises(PermanentLLMError) as caught:
        await provider_of("anthropic").complete(replace(request_, schema=schema))
    assert caught.value.code == "schema_rejected"
    assert fake.requests == []


@pytest.mark.parametrize(
    ("in_request", "in_settings", "marked"), [(True, True, True), (False, True, False), (True, False, False)]
)
async def test_the_cache_is_marked_only_when_both_want_it(
    fake, provider_of, request_, *, in_request, in_settings, marked
):
    provider = provider_of("anthropic", enable_caching=in_settings)
    await provider.complete(replace(request_, cache=in_request))
    prefix = fake.requests[0].body["messages"][0]["content"][0]
    assert ("cache_control" in prefix) is marked


async def test_a_repair_reads_the_prefix_from_the_cache(provider_of, request_):
    provider = provider_of("anthropic")
    long = replace(request_, system="rules " * 500, prefix="<brief>\n" + "words " * 1000 + "</brief>")
    first = (await provider.complete(long)).usage
    repair = (await provider.complete(replace(long, task=long.task + "<draft>{}</draft>"))).usage
    assert first.cache_write_tokens == repair.cache_read_tokens > 2000
    assert first.cache_read_tokens == repair.cache_write_tokens == 0
    assert 0 < first.input_tokens < 100
    other = (await provider.complete(replace(long, prefix=long.prefix + "x"))).usage
    assert other.cache_read_tokens == 0


async def test_empty_blocks_are_left_out(fake, provider_of, request_):
    await provider_of("anthropic").complete(replace(request_, system="", prefix=""))
    body = fake.requests[0].body
    assert body["system"] == []
    assert body["messages"][0]["content"] == [{"type": "text", "text": request_.task}]


async def test_thinking_before_the_text_is_not_the_text(fake, provider_of, request_):
    fake.script = [Reply('{"a": "b"}', thinking='{"a": "no"}')]
    seen = []
    reply = await provider_of("anthropic").complete(request_, seen.append)
    assert reply.text == '{"a": "b"}'


@pytest.mark.parametrize(
    ("stop", "reason", "detail"),
    [
        ("end_turn", StopReason.END, None),
        ("stop_sequence", StopReason.END, None),
        ("max_tokens", StopReason.MAX_TOKENS, None),
        ("refusal", StopReason.REFUSAL, None),
        ("model_context_window_exceeded", StopReason.CONTEXT_EXCEEDED, None),
        ("tool_use", StopReason.OTHER, "stop reason: tool_use"),
        ("pause_turn", StopReason.OTHER, "stop reason: pause_turn"),
        ("never_heard_of", StopReason.OTHER, "stop reason: never_heard_of"),
    ],
)
async def test_stop_reasons(fake, provider_of, request_, *, stop, reason, detail):
    fake.script = [Reply("{}", stop=stop)]
    reply = await provider_of("anthropic").complete(request_)
    assert (reply.stop_reason, reply.detail) == (reason, detail)


async def test_counts_are_the_final_ones(fake, provider_of, request_):
    fake.script = [Reply("x" * 400)]
    reply = await provider_of("anthropic").complete(replace(request_, cache=False))
    assert reply.usage == Usage(input_tokens=len(fake.requests[0].prompt) // 4, output_tokens=100)
    assert reply.request_id == "req_fake"


async def test_a_gateway_that_drops_the_counts_leaves_an_estimate(fake, provider_of, request_):
    fake.script = [Reply("x" * 350, usage="null")]
    reply = await provider_of("anthropic").complete(request_)
    assert reply.usage.output_tokens == 100
    assert reply.usage.input_tokens > 10
    assert "estimated" in reply.detail


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_the_base_url_may_end_as_people_paste_it(fake, provider_of, request_, suffix):
    await provider_of("anthropic", base_url=fake.url + suffix).complete(request_)
    assert fake.requests[0].path == "/v1/messages"


async def test_the_key_travels_only_in_the_headers_for_it(fake, provider_of, request_):
    await provider_of("anthropic").complete(request_)
    received = fake.requests[0]
    carrying = {name for name, value in received.headers.items() if "very-secret" in value}
    assert carrying
    assert carrying <= {"x-api-key", "authorization"}
    assert "very-secret" not in str(received.body)


def test_the_sdk_names_the_stop_reasons_we_map():
    known = set(anthropic.types.StopReason.__args__)
    assert known == {
        "end_turn",
        "stop_sequence",
        "max_tokens",
        "refusal",
        "model_context_window_exceeded",
        "tool_use",
        "pause_turn",
    }
