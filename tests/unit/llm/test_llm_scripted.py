import asyncio
from dataclasses import replace

import pytest

from combine.errors import PermanentLLMError, TransientLLMError
from combine.llm.protocol import LLMRequest, StopReason
from combine.llm.scripted import ScriptedProvider, ScriptedReply, When
from combine.records import Usage

REQUEST = LLMRequest(
    model="",
    system="",
    prefix="<brief>\nA\n</brief>\n<answers>\n</answers>",
    task="<task>x</task>",
    schema={},
    schema_name="requirements-doc",
    max_output_tokens=10,
)


def of_brief(text, **changes):
    return replace(REQUEST, prefix=f"<brief>{text}</brief>", **changes)


async def texts(provider, *requests):
    return [(await provider.complete(one)).text for one in requests]


async def test_a_list_is_given_out_in_order_and_its_last_repeats():
    assert await texts(ScriptedProvider(["a", "b"]), *[REQUEST] * 4) == ["a", "b", "b", "b"]


@pytest.mark.parametrize("script", ["abc", ScriptedReply("abc"), ["abc"], {"*": "abc"}, lambda request: "abc"])
async def test_one_output_may_stand_without_a_list(script):
    assert await texts(ScriptedProvider(script), REQUEST, REQUEST) == ["abc", "abc"]


async def test_each_type_has_its_own_sequence_and_a_star_serves_the_rest():
    provider = ScriptedProvider({"requirements-doc": ["a", "b"], "*": ["x", "y"]})
    other, third = replace(REQUEST, schema_name="o"), replace(REQUEST, schema_name="p")
    assert await texts(provider, REQUEST, other, REQUEST, third, other) == ["a", "x", "b", "x", "y"]


async def test_each_brief_starts_its_own_sequence():
    provider = ScriptedProvider(["a", "b"])
    assert await texts(provider, of_brief("1"), of_brief("2"), of_brief("1"), of_brief("2")) == ["a", "a", "b", "b"]


async def test_answers_and_upstream_documents_do_not_restart_a_sequence():
    answered = replace(REQUEST, prefix=REQUEST.prefix.replace("<answers>\n", '<answers>\n{"id":"Q-1"}\n'))
    assert await texts(ScriptedProvider(["questions", "document"]), REQUEST, answered) == ["questions", "document"]


async def test_executions_side_by_side_get_the_same_sequence():
    async def pause(seconds):
        await asyncio.sleep(0)

    provider = ScriptedProvider([ScriptedReply("a", delay_s=1), "b"], sleep=pause)

    async def execution(brief):
        return await texts(provider, of_brief(brief), of_brief(brief))

    assert await asyncio.gather(*(execution(str(n)) for n in range(20))) == [["a", "b"]] * 20


async def test_a_function_sees_the_request():
    provider = ScriptedProvider(lambda request: ScriptedReply(request.schema_name, stop_reason=StopReason.REFUSAL))
    reply = await provider.complete(REQUEST)
    assert (reply.text, reply.stop_reason) == ("requirements-doc", StopReason.REFUSAL)


async def test_a_condition_answers_as_often_as_it_holds_and_does_not_advance_the_rest():
    repair = replace(REQUEST, task="<draft>{}</draft>")
    provider = ScriptedProvider(["a", ScriptedReply("repaired", when=When(contains=("<draft>",))), "b"])
    assert await texts(provider, REQUEST, repair, repair, REQUEST) == ["a", "repaired", "repaired", "b"]


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        (When(contains=("<brief>", "<task>")), True),
        (When(contains=("<brief>", "<draft>")), False),
        (When(lacks=("<draft>",)), True),
        (When(contains=("<brief>",), lacks=("<task>",)), False),
    ],
)
def test_a_condition_looks_at_prefix_and_task(when, holds):
    assert when.holds(REQUEST) is holds


async def test_errors_are_raised_afresh_each_time():
    error = TransientLLMError("Down.", code="provider_overloaded", hint="Later.", details={"retry_after_s": 3})
    provider = ScriptedProvider([error])
    raised = []
    for _ in range(2):
        with pytest.raises(TransientLLMError) as caught:
            await provider.complete(REQUEST)
        raised.append(caught.value)
    assert raised[0] is not raised[1]
    assert (raised[1].code, raised[1].hint, raised[1].details) == (error.code, error.hint, error.details)


async def test_a_type_without_a_reply_is_said():
    with pytest.raises(PermanentLLMError) as caught:
        await ScriptedProvider({"x": ["a"]}, origin="s.yaml").complete(REQUEST)
    assert caught.value.code == "scripted_reply_missing"
    assert "requirements-doc" in caught.value.message
    assert "s.yaml" in caught.value.hint


async def test_it_waits_exactly_as_long_as_scripted_and_counts_tokens():
    slept, seen = [], []

    async def sleep(seconds):
        slept.append(seconds)

    reply = ScriptedReply("x", delay_s=2.0, usage=Usage(1, 2, 3, 4))
    provider = ScriptedProvider([reply, "x" * 35], sleep=sleep)
    assert (await provider.complete(REQUEST, seen.append)).usage == Usage(1, 2, 3, 4)
    assert slept == [2.0]
    assert [one.output_tokens for one in seen] == [0, 2]
    assert (await provider.complete(REQUEST)).usage.output_tokens == 10
