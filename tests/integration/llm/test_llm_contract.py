"""What every provider promises, whoever stands behind it: the fake over both SDKs, and the script."""

import asyncio
import json
import threading
from dataclasses import replace

import pytest
from fake_llm import Error, Reply

from combine.errors import PermanentLLMError, TransientLLMError
from combine.llm.protocol import StopReason
from combine.llm.scripted import ScriptedProvider, ScriptedReply


@pytest.fixture(params=["anthropic", "openai", "scripted"])
def provider_with(request, fake, provider_of):
    """Builds a provider that answers as the script says; texts, ``Reply`` and ``Error`` are understood by all three."""

    def as_scripted(outcome):
        if isinstance(outcome, Reply):
            stop = StopReason(outcome.stop)
            return ScriptedReply(outcome.text, outcome.delay_s, stop, detail=outcome.detail)
        if isinstance(outcome, Error):
            family = TransientLLMError if outcome.status >= 500 else PermanentLLMError
            return family(outcome.message)
        return outcome

    def build(script):
        if request.param == "scripted":
            if callable(script):
                return ScriptedProvider(lambda one: as_scripted(script(one.task)))
            return ScriptedProvider([as_scripted(one) for one in script])
        fake.script = (lambda one: script(one.user)) if callable(script) else script
        return provider_of(request.param, retries=0)

    return build


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "b"}',
        "",
        "not JSON at all",
        '```json\n{"a": 1}\n```',
        '{"a": ',
        "Bäckerei 東京 مخبز 🥖 \u2028 \\u0000 'quote' \"double\"",
        json.dumps({"a": "x" * 300_000}),
    ],
    ids=["json", "empty", "prose", "fenced", "truncated", "scripts", "300 KB"],
)
async def test_the_text_arrives_as_it_was_written(provider_with, request_, text):
    reply = await provider_with([Reply(text)]).complete(request_)
    assert reply.text == text
    assert reply.stop_reason is StopReason.END
    assert reply.attempts == 1
    assert reply.model


@pytest.mark.parametrize("stop", [StopReason.END, StopReason.MAX_TOKENS, StopReason.REFUSAL])
async def test_why_it_stopped_is_said_in_one_vocabulary(provider_with, request_, stop):
    reply = await provider_with([Reply("{}", stop=str(stop))]).complete(request_)
    assert (reply.text, reply.stop_reason) == ("{}", stop)


async def test_a_refusal_brings_the_providers_own_words(provider_with, request_):
    reply = await provider_with([Reply("", stop="refusal", detail="I would rather not.")]).complete(request_)
    assert reply.stop_reason is StopReason.REFUSAL
    assert reply.detail == "I would rather not."


async def test_tokens_are_counted(provider_with, request_):
    usage = (await provider_with(["x" * 400]).complete(request_)).usage
    assert usage.input_tokens + usage.cache_write_tokens > 10
    assert usage.output_tokens >= 100
    assert usage.cache_read_tokens == 0


async def test_progress_ends_with_the_exact_count(provider_with, request_):
    seen = []
    reply = await provider_with(["x" * 4000]).complete(request_, seen.append)
    assert seen[-1].output_tokens == reply.usage.output_tokens
    assert len(seen) > 1


@pytest.mark.parametrize(("status", "family"), [(500, TransientLLMError), (400, PermanentLLMError)])
async def test_failures_are_of_one_of_two_families(provider_with, request_, status, family):
    with pytest.raises(family):
        await provider_with([Error(status)]).complete(request_)


async def test_calls_side_by_side_get_their_own_replies(provider_with, request_):
    provider = provider_with(lambda user: Reply(user.rpartition("#")[2], delay_s=0.01))
    asked = [replace(request_, task=f"{request_.task}#{number}") for number in range(30)]
    replies = await asyncio.gather(*(provider.complete(one) for one in asked))
    assert [one.text for one in replies] == [str(number) for number in range(30)]


async def test_cancelling_takes_effect_at_once(provider_with, request_):
    arrived = threading.Event()

    def answer(user):
        arrived.set()
        return Reply("late", delay_s=60.0)

    task = asyncio.create_task(provider_with(answer).complete(request_))
    assert await asyncio.to_thread(arrived.wait, 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, timeout=20)


async def test_health_is_found_without_a_completion(provider_with, fake):
    health = await provider_with(["x"]).check()
    assert health.ok
    assert health.message
    assert fake.requests == []


async def test_closing_twice_is_fine(provider_with):
    provider = provider_with(["x"])
    await provider.close()
    await provider.close()
