import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from repeating import repeated

from combine.errors import PermanentLLMError, TransientLLMError
from combine.llm.protocol import LLMReply, LLMRequest, StopReason
from combine.llm.retry import RetryPolicy, Timing, complete_with_retries
from combine.records import Usage

REQUEST = LLMRequest(
    model="m",
    system="s" * 350,
    prefix="",
    task="",
    schema={},
    schema_name="doc",
    max_output_tokens=10,
)
REPLY = LLMReply("done", StopReason.END, Usage(10, 5), "m", request_id="r-1")


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self, chance=1.0):
        self.now = 0.0
        self.sleeps = []
        self.timing = Timing(clock=lambda: self.now, sleep=self.sleep, random=lambda: chance)

    async def sleep(self, seconds):
        self.sleeps.append(seconds)
        self.now += seconds


def failing(*errors, usage=None):
    """A send that raises each of ``errors`` in turn, then succeeds."""
    left = list(errors)

    async def send(attempt):
        if left:
            if usage is not None:
                attempt.counted(usage, final=True)
            raise left.pop(0)
        return REPLY

    return send


def overloaded(wait=None):
    details = {} if wait is None else {"retry_after_s": wait}
    return TransientLLMError("Busy.", code="provider_overloaded", details=details)


async def run(send, clock, policy=None, on_progress=None):
    policy = policy or RetryPolicy()
    return await repeated(lambda one: complete_with_retries(send, one, on_progress, policy, clock.timing), REQUEST)


async def test_a_first_success_is_one_attempt():
    clock = Clock()
    reply = await run(failing(), clock)
    assert reply == REPLY
    assert reply.attempts == 1
    assert clock.sleeps == []


async def test_it_tries_as_often_as_the_policy_says_and_waits_longer_each_time():
    clock = Clock()
    with pytest.raises(TransientLLMError) as caught:
        await run(failing(*[overloaded() for _ in range(9)]), clock)
    assert clock.sleeps == [0.5, 1.0, 2.0]
    assert caught.value.code == "provider_overloaded"
    assert caught.value.details["attempts"] == 4


async def test_the_reply_counts_attempts_and_the_tokens_of_the_failed_ones():
    reply = await run(failing(overloaded(), overloaded(), usage=Usage(100, 3, 20, 4)), Clock())
    assert reply.attempts == 3
    assert reply.usage == Usage(210, 11, 40, 8)


async def test_no_retries_means_one_attempt():
    clock = Clock()
    with pytest.raises(TransientLLMError):
        await run(failing(overloaded()), clock, RetryPolicy(max_retries=0))
    assert clock.sleeps == []


@pytest.mark.parametrize(
    ("asked", "slept"),
    [(0, 0.5), (0.2, 0.5), (7, 7.7), (60, 66.0)],
    ids=["zero is no reason to hurry", "below the backoff", "as asked, spread", "at the cap"],
)
async def test_the_providers_wait_is_honoured(asked, slept):
    clock = Clock()
    await run(failing(overloaded(asked)), clock)
    assert clock.sleeps == [pytest.approx(slept)]


async def test_too_long_a_wait_ends_the_call_at_once_and_says_how_long():
    clock = Clock()
    with pytest.raises(TransientLLMError) as caught:
        await run(failing(overloaded(3600), usage=Usage(9)), clock)
    error = caught.value
    assert clock.sleeps == []
    assert error.code == "retry_after_too_long"
    assert error.details["retry_after_s"] == 3600
    assert error.details["cause"] == "provider_overloaded"
    assert error.details["usage"] == Usage(9)
    assert "3600 s" in str(error)


async def test_a_permanent_error_is_not_retried_but_accounts_for_what_came_before():
    send = failing(overloaded(), PermanentLLMError("No.", code="api_key_rejected"), usage=Usage(5, 5))
    with pytest.raises(PermanentLLMError) as caught:
        await run(send, Clock())
    assert caught.value.details["attempts"] == 2
    assert caught.value.details["usage"] == Usage(10, 10)


async def test_what_is_not_an_llm_error_passes_through():
    with pytest.raises(ZeroDivisionError):
        await run(failing(ZeroDivisionError()), Clock())


async def test_cancelling_ends_it_during_a_wait():
    waiting = asyncio.Event()

    async def sleep(seconds):
        waiting.set()
        await asyncio.Event().wait()

    timing = Timing(sleep=sleep)
    task = asyncio.create_task(complete_with_retries(failing(overloaded()), REQUEST, None, RetryPolicy(), timing))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_progress_is_throttled_and_ends_with_the_exact_count():
    clock, seen = Clock(), []

    async def send(attempt):
        for _ in range(100):
            clock.now += 1 / 16
            attempt.streamed("x" * 7)
        return REPLY

    await run(send, clock, on_progress=seen.append)
    assert [one.output_tokens for one in seen[:3]] == [2, 10, 18]
    assert len(seen) == 26
    assert seen[-1].output_tokens == REPLY.usage.output_tokens


async def test_progress_tells_of_the_wait_and_its_reason():
    seen = []
    await run(failing(overloaded(7)), Clock(), on_progress=seen.append)
    waits = [(one.attempt, one.waiting_s, one.reason) for one in seen if one.waiting_s is not None]
    assert waits == [(1, pytest.approx(7.7), "Busy.")]
    assert seen[-1].attempt == 2


async def test_a_cut_attempt_costs_its_stated_input_and_the_output_that_was_seen():
    async def send(attempt):
        if attempt.number == 1:
            attempt.counted(Usage(100, 1, 7, 8), final=False)
            attempt.streamed("x" * 35)
            raise overloaded()
        return REPLY

    assert (await run(send, Clock())).usage == Usage(110, 15, 7, 8)


async def test_a_cut_attempt_without_any_counts_is_estimated_from_the_texts():
    async def send(attempt):
        if attempt.number == 1:
            attempt.streamed("x" * 35)
            raise overloaded()
        return REPLY

    assert (await run(send, Clock())).usage == Usage(110, 15)


@given(
    st.integers(0, 8),
    st.floats(0, 1),
    st.lists(st.none() | st.floats(0, 60), min_size=8, max_size=8),
)
async def test_waits_stay_within_their_bounds(retries, chance, asked):
    clock = Clock(chance)
    policy = RetryPolicy(max_retries=retries)
    with pytest.raises(TransientLLMError):
        await run(failing(*[overloaded(one) for one in [*asked, None]]), clock, policy)
    assert len(clock.sleeps) == retries
    for number, (slept, wanted) in enumerate(zip(clock.sleeps, asked, strict=False)):
        backoff = min(30.0, 0.5 * 2**number)
        assert slept >= max(backoff / 2, wanted or 0)
        assert slept <= max(backoff, (wanted or 0) * 1.1)
