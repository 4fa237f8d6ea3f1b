"""Which figures of a provider are believed, and what is estimated instead."""

import pytest
from fake_llm import Broken, Chunks, Reply, Whole

from combine.errors import TransientLLMError
from combine.llm.retry import USAGE_ESTIMATED
from combine.records import Usage

BOTH = pytest.mark.parametrize("name", ["anthropic", "openai"])
FIELDS = {"anthropic": ("input_tokens", "output_tokens"), "openai": ("prompt_tokens", "completion_tokens")}
IMPOSSIBLE = [0, None, -1, -5000, 10**20, 3.7, float("nan"), "many", True, [7], {"n": 7}]
TEXT = "x" * 350


@BOTH
@pytest.mark.parametrize("figure", IMPOSSIBLE, ids=repr)
async def test_figures_that_cannot_be_are_estimated(fake, provider_of, request_, name, figure):
    fake.script = [Reply(TEXT, usage=dict.fromkeys(FIELDS[name], figure))]
    reply = await provider_of(name).complete(request_)
    assert reply.text == TEXT
    assert reply.usage.output_tokens == 100
    assert 10 < reply.usage.input_tokens < 1000
    assert reply.detail == USAGE_ESTIMATED


@BOTH
@pytest.mark.parametrize("usage", [{}, [], "none", 5], ids=repr)
async def test_usage_of_another_shape_is_estimated(fake, provider_of, request_, name, usage):
    fake.script = [Reply(TEXT, usage=usage)]
    reply = await provider_of(name).complete(request_)
    assert reply.usage.output_tokens == 100
    assert reply.detail == USAGE_ESTIMATED


@BOTH
async def test_only_the_impossible_figure_is_estimated(fake, provider_of, request_, name):
    given, made = FIELDS[name]
    fake.script = [Reply(TEXT, usage={given: 4642, made: 0}), Reply(TEXT, usage={given: -1, made: 77})]
    first, second = [await provider_of(name).complete(request_) for _ in range(2)]
    assert first.usage == Usage(4642, 100)
    assert second.usage.output_tokens == 77
    assert 10 < second.usage.input_tokens < 1000
    assert first.detail == second.detail == USAGE_ESTIMATED


@BOTH
async def test_a_failed_attempt_is_estimated_too(fake, provider_of, request_, name):
    usage = dict.fromkeys(FIELDS[name], -1)
    fake.inject(Broken("cut", after=5, reply=Reply("x" * 7000, usage=usage)), times=2)
    with pytest.raises(TransientLLMError) as caught:
        await provider_of(name, retries=1).complete(request_)
    spent = caught.value.details["usage"]
    assert spent.input_tokens > 20
    assert spent.output_tokens > 1000


async def test_text_after_the_last_count_is_estimated(fake, provider_of, request_):
    def chunk(text, finish=None, usage=None):
        return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}], "usage": usage}

    counted = {"prompt_tokens": 50, "completion_tokens": 1}
    fake.script = [Chunks([chunk("{", usage=counted), chunk("x" * 349, "stop")])]
    reply = await provider_of("openai").complete(request_)
    assert reply.usage == Usage(50, 100)
    assert reply.detail == USAGE_ESTIMATED


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        (
            {
                "prompt_tokens": 4642,
                "completion_tokens": 75,
                "total_tokens": 13717,
                "completion_tokens_details": {"reasoning_tokens": 9000},
            },
            Usage(4642, 9075),
        ),
        (
            {
                "prompt_tokens": 4642,
                "completion_tokens": 9075,
                "total_tokens": 13717,
                "completion_tokens_details": {"reasoning_tokens": 9000},
            },
            Usage(4642, 9075),
        ),
        (
            {"prompt_tokens": 40, "completion_tokens": 75, "completion_tokens_details": {"reasoning_tokens": 900}},
            Usage(40, 975),
        ),
        (
            {"prompt_tokens": 40, "completion_tokens": 75, "total_tokens": 140, "reasoning_tokens": 25},
            Usage(40, 100),
        ),
        ({"prompt_tokens": 40, "completion_tokens": 75, "total_tokens": 1115}, Usage(40, 1075)),
        ({"prompt_tokens": 40, "completion_tokens": 75, "total_tokens": 10**20}, Usage(40, 75)),
        ({"prompt_tokens": 40, "completion_tokens": 75, "total_tokens": 3}, Usage(40, 75)),
    ],
    ids=["apart", "within", "more than the completion", "at the top", "only in the total", "absurd", "too low"],
)
async def test_reasoning_is_output(fake, provider_of, request_, usage, counted):
    fake.script = [Reply(TEXT, usage=usage)]
    reply = await provider_of("openai").complete(request_)
    assert (reply.usage, reply.detail) == (counted, None)


async def test_a_later_event_without_counts_keeps_the_earlier_ones(fake, provider_of, request_):
    fake.script = [
        Chunks(
            [
                {"type": "message_start", "message": {"usage": {"input_tokens": 90, "output_tokens": 1}}},
                {"type": "content_block_delta", "delta": {"type": "text_delta", "text": TEXT}},
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": "end_turn"},
                    "usage": {"input_tokens": 0, "output_tokens": 80},
                },
                {"type": "message_stop"},
            ]
        )
    ]
    reply = await provider_of("anthropic").complete(request_)
    assert (reply.usage, reply.detail) == (Usage(90, 80), None)


@BOTH
async def test_a_reply_without_a_stream_is_billed_as_stated(fake, provider_of, request_, name):
    usage = dict(zip(FIELDS[name], (90, 80), strict=True))
    message = {"content": TEXT}
    body = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage} | message
    fake.script = [Whole(body)]
    assert (await provider_of(name).complete(request_)).usage == Usage(90, 80)
