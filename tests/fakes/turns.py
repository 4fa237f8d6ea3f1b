"""Executions side by side in one process, their calls let through one at a time in an order that a test chooses."""

import asyncio

from house import HandSegment


class Turns:
    """A provider that holds every call until it is that execution's turn; executions are known by their briefs."""

    def __init__(self, provider, marks):
        """``marks``: execution -> words that only its brief has."""
        self.real = provider
        self.name = provider.name
        self.marks = marks
        self.held = {}

    def provider(self, ref):
        return self

    async def complete(self, request, on_progress=None):
        brief, _, _ = request.prefix.partition("</brief>")
        execution = next(one for one, mark in self.marks.items() if mark in brief)
        self.held[execution] = asyncio.get_running_loop().create_future()
        await self.held[execution]
        return await self.real.complete(request, on_progress)

    async def run(self, house, order):
        """Run a segment of every execution in the queue at once; ``order``: whose call is let through next.

        A call is let through when every other execution is held or has come to rest, so that the same order gives the
        same commits. What ``order`` leaves over goes in the order of the queue.
        """
        queue, house.queue[:] = list(house.queue), []
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            tasks = {str(one): group.create_task(house.runner.run(HandSegment(house, one, n))) for one, n in queue}
            for execution in order:
                await self._let_through(tasks, [execution])
            while not all(task.done() for task in tasks.values()):
                await self._let_through(tasks, tasks)

    async def _let_through(self, tasks, candidates):
        while any(one not in self.held and not task.done() for one, task in tasks.items()):
            await asyncio.sleep(0.001)
        first = next((one for one in candidates if one in self.held), None)
        if first is not None:
            self.held.pop(first).set_result(None)
