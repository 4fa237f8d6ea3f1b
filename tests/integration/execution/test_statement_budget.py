"""How many statements and commits a step and a segment cost. They must not grow unnoticed."""

import asyncio
from collections import Counter

import bakery
from house import HandSegment
from wire import Sent, watched

STEPS = 4
STEP = {"statements": 3, "commits": 3}
"""The intent, the reply, the document: each one statement that commits by itself."""
FINAL_STEP = {"statements": 4, "commits": 3}
"""Its findings are one more statement, and its document a transaction."""
SEGMENT = {"statements": 4, "commits": 3}
"""Beside its steps: it begins, reads, and ends; the reading commits nothing but is a transaction."""
_IN_A_STEP = {"LLMStepExecutor.execute", "KeptReplies._close"}  # a paid reply is stored in a task of its own


class Meter:
    """Counts what goes to the server, apart for the tasks of steps and the rest."""

    def __init__(self) -> None:
        self.seen: dict[str, Counter[str]] = {"step": Counter(), "segment": Counter()}

    def __call__(self, sent: Sent) -> None:
        task = asyncio.current_task()
        assert task is not None
        name = task.get_coro().__qualname__
        seen = self.seen["step" if name in _IN_A_STEP else "segment"]
        seen["statements"] += sent.is_statement
        seen["commits"] += sent.commits


async def test_a_step_and_a_segment_cost_no_more_than_they_did(house):
    replies = {type_: [bakery.reply(bakery.document(type_))] for type_ in bakery.TYPES}
    replies["requirements-doc"] = [bakery.reply(bakery.unasked_requirements())]
    house.says(replies)
    execution = await house.start()
    meter = Meter()
    with watched(meter):
        await house.runner.run(HandSegment(house, *house.queue.pop()))
    steps, segment = meter.seen["step"], meter.seen["segment"]
    assert (await house.row(execution)).status == "completed"
    for what, most in STEP.items():
        assert steps[what] <= (STEPS - 1) * most + FINAL_STEP[what], (what, steps)
    for what, most in SEGMENT.items():
        assert segment[what] <= most, (what, segment)
