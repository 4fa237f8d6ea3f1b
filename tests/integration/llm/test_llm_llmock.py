"""An independent judge: LLMock breaks the connection and grades how our loop behaves."""

import pytest

from combine.errors import PermanentLLMError, TransientLLMError
from combine.llm.retry import RetryPolicy, Timing

BOTH = pytest.mark.parametrize("name", ["anthropic", "openai"])
# Long enough for the judge to have closed its books on an attempt before the next one comes.
POLICY = RetryPolicy(base_delay_s=0.2)
TIMING = Timing(random=lambda: 1.0)
TEXT = '{"a": "one two three four five six seven eight nine ten"}'


@pytest.fixture
def judged(llmock, provider_of):
    llmock.reply(TEXT, times=None)

    def build(name, **more):
        return provider_of(name, base_url=llmock.base_url(name), policy=POLICY, timing=TIMING, **more)

    return build


@BOTH
@pytest.mark.parametrize(
    "fault",
    [
        lambda judge: judge.rate_limit(times=2, retry_after=0.2),
        lambda judge: judge.fail(503, times=2),
        lambda judge: judge.fail(500, times=3),
        lambda judge: judge.fail(529, times=1),
        lambda judge: judge.disconnect(after_chunks=2, times=2),
        lambda judge: judge.truncate(after_chunks=2, times=2),
        # Paced, since a stream that is wholly sent before anybody can hang up looks accepted to the judge.
        lambda judge: judge.corrupt(after_chunks=3, times=2).pace(20),
        lambda judge: judge.slow_first_token(0.2, times=1),
        lambda judge: judge.rate_limit(times=1, retry_after=0.1).truncate(after_chunks=1).fail(502),
    ],
    ids=["429", "503", "500", "529", "disconnect", "truncate", "corrupt", "slow first token", "all together"],
)
async def test_faults_that_pass_are_survived_as_they_should_be(llmock, judged, request_, name, fault):
    fault(llmock)
    reply = await judged(name, read_timeout=20).complete(request_)
    assert reply.text == TEXT
    llmock.assert_resilient(strict=True)


@BOTH
async def test_a_stream_that_stalls_is_left_and_asked_for_again(llmock, judged, request_, name):
    llmock.stall(after_chunks=2, seconds=20, times=1)
    reply = await judged(name, read_timeout=2).complete(request_)
    assert reply.text == TEXT
    llmock.assert_resilient(strict=True)


@BOTH
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_refusals_are_not_repeated(llmock, judged, request_, name, status):
    llmock.fail(status, times=None)
    with pytest.raises(PermanentLLMError):
        await judged(name).complete(request_)
    assert len(llmock.requests) == 1
    llmock.assert_resilient(strict=True)


@BOTH
async def test_an_outage_is_given_up_in_time(llmock, judged, request_, name):
    llmock.outage(status=529)
    with pytest.raises(TransientLLMError) as caught:
        await judged(name).complete(request_)
    assert caught.value.code == "provider_overloaded"
    assert len(llmock.requests) == 4
    llmock.assert_resilient(strict=True)


@BOTH
async def test_too_long_a_prompt_is_recognised(llmock, judged, request_, name):
    llmock.context_overflow()
    with pytest.raises(PermanentLLMError) as caught:
        await judged(name).complete(request_)
    assert caught.value.code == "prompt_too_long"


@BOTH
async def test_its_health_is_found(judged, name):
    assert (await judged(name).check()).ok
