"""Calls wait for their turn; a process that stops begins none."""

import asyncio

import pytest

from combine.llm.slots import CallSlots, NoMoreCalls


class Calls:
    """Calls that last until they are told to end."""

    def __init__(self, slots: CallSlots) -> None:
        self.slots = slots
        self.running: list[str] = []
        self.most = 0
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def begin(self, name: str, provider: str = "p") -> None:
        self._ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._call(name, provider))
        await self.settled()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await self.tasks[name]
        await self.settled()

    async def settled(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def _call(self, name: str, provider: str) -> None:
        async with self.slots.slot(provider):
            self.running.append(name)
            self.most = max(self.most, len(self.running))
            await self._ends[name].wait()
            self.running.remove(name)


async def test_no_more_than_the_limit_and_first_come_first_served():
    calls = Calls(CallSlots({"p": 2}))
    for name in "abcd":
        await calls.begin(name)
    assert calls.running == ["a", "b"]
    await calls.end("a")
    assert calls.running == ["b", "c"]
    await calls.end("b")
    await calls.end("c")
    await calls.end("d")
    assert calls.most == 2


async def test_a_provider_without_a_limit_and_another_ones_limit():
    calls = Calls(CallSlots({"p": 1}))
    for name, provider in {"a": "p", "b": "q", "c": "q", "d": "p"}.items():
        await calls.begin(name, provider)
    assert calls.running == ["a", "b", "c"]
    for name in "abcd":
        await calls.end(name)


@pytest.mark.parametrize("at_its_turn", [False, True])
async def test_one_that_is_cancelled_while_it_waits_takes_no_slot_along(at_its_turn):
    calls = Calls(CallSlots({"p": 1}))
    for name in "abc":
        await calls.begin(name)
    if at_its_turn:  # the slot is free, and handed to it, in the same moment
        calls._ends["a"].set()
        await asyncio.sleep(0)
    calls.tasks["b"].cancel()
    with pytest.raises(asyncio.CancelledError):
        await calls.tasks["b"]
    if not at_its_turn:
        calls._ends["a"].set()
    await calls.settled()
    assert calls.running == ["c"]
    await calls.end("c")


async def test_closed_slots_let_nothing_begin_and_leave_what_runs_alone():
    calls = Calls(CallSlots({"p": 1}))
    await calls.begin("a")
    await calls.begin("b")
    calls.slots.close()
    for name, provider in {"b": "p", "c": "p", "d": "no limit"}.items():
        if name != "b":
            await calls.begin(name, provider)
        with pytest.raises(NoMoreCalls):
            await calls.tasks[name]
    assert calls.running == ["a"]
    await calls.end("a")
