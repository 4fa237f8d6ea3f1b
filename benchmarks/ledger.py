"""The time the ledger adds to a call: the intent before it, the reply after it. Prints a Markdown table.

One statement each, on the embedded PostgreSQL with fsync on. For comparison: an empty commit on the same connection,
which is the time for the disk alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import platform
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from _workers import fresh_database, own_server

CALLS = 400
PROMPT, REPLY = b"p" * 24_000, b"r" * 12_000


async def prepared(url: str) -> tuple[Any, UUID]:
    """A database with one execution that has a cap, as its project has."""
    import sqlalchemy as sa
    from bakery import BRIEF

    from combine.brief.brief import brief_to_json
    from combine.brief.reading import split_brief
    from combine.storage.core.database import Database
    from combine.storage.hot.starting import Start, store_start

    database, execution_id = Database(url), uuid4()
    start = Start(
        execution_id=execution_id,
        project_id=uuid4(),
        project="Ledger",
        brief_id=uuid4(),
        brief=brief_to_json(split_brief(BRIEF)),
        workflow_id="strategy-document",
        workflow_version="1",
        definition={"steps": []},
        step_ids=["discovery"],
        model="scripted",
        ask=True,
        given_answers={},
        budget_usd=Decimal(1000),
        allow_unpriced=False,
    )
    await database.transact(lambda session: store_start(session, start))

    async def cap(session: Any) -> None:
        await session.connection.execute(sa.text("UPDATE projects SET budget_usd = 1000"))

    await database.transact(cap)
    return database, execution_id


def intent(execution_id: UUID, number: int) -> Any:
    """Record a call that reserves a cent under three caps; each prompt is different."""
    from combine.storage.hot.journal import CallIntent

    prompt = PROMPT + str(number).encode()
    digest = hashlib.sha256(prompt).hexdigest()
    return CallIntent(
        uuid4(), execution_id, "discovery", 0, 1, "draft", "scripted", "m", digest, prompt, Decimal("0.01")
    )


def reply(call: Any, number: int) -> Any:
    """Record its reply, which costs less than what was reserved."""
    from combine.storage.hot.journal import CallReply

    body = REPLY + str(number).encode()
    return CallReply(
        id=call.id,
        execution_id=call.execution_id,
        step_id=call.step_id,
        attempt=1,
        state="replied",
        reply_sha256=hashlib.sha256(body).hexdigest(),
        reply=body,
        stop_reason="end",
        stop_detail=None,
        model_answered="m",
        provider_request_id="r",
        transport_attempts=1,
        input_tokens=6000,
        output_tokens=3000,
        cache_read_tokens=0,
        cache_write_tokens=0,
        cost_usd=Decimal("0.004"),
        price_source="benchmark",
    )


async def timed(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Wall and CPU time of this process, in milliseconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)


async def run(url: str) -> dict[str, list[tuple[float, float]]]:
    """Measure ``CALLS`` calls, one after the other."""
    import sqlalchemy as sa

    from combine.storage.hot.claim import Claim
    from combine.storage.hot.journal import Journal

    database, execution_id = await prepared(url)
    claim, daily = Claim("SELECT 1", {}), Decimal(1000)
    found: dict[str, list[tuple[float, float]]] = {"intent": [], "reply": [], "an empty commit": []}

    async def bare(session: Any) -> None:
        await session.connection.execute(sa.text("SELECT pg_current_xact_id()"))

    for number in range(CALLS + 20):
        call = intent(execution_id, number)
        first = await timed(lambda call=call: database.once(lambda s: Journal(s).open_call(claim, call, daily)))
        answer = reply(call, number)
        second = await timed(lambda answer=answer: database.once(lambda s: Journal(s).close_call(answer)))
        third = await timed(lambda: database.once(bare))
        if number >= 20:  # the first ones compile and prepare
            found["intent"].append(first)
            found["reply"].append(second)
            found["an empty commit"].append(third)
    await database.close()
    return found


def main() -> None:
    """Measure and print."""
    sys.stdout.write(f"## Ledger, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.machine()}, ")
    sys.stdout.write(f"Python {platform.python_version()}\n\n{CALLS} calls under three caps, prompts of ")
    sys.stdout.write(f"{len(PROMPT) // 1000} KB, replies of {len(REPLY) // 1000} KB\n\n")
    with own_server() as home:
        found = asyncio.run(run(fresh_database(home, "ledger")))
    sys.stdout.write("| | median ms | 95 % ms | CPU ms |\n| --- | ---: | ---: | ---: |\n")
    for name, times in found.items():
        wall = sorted(one for one, _ in times)
        cpu = statistics.mean(one for _, one in times)
        sys.stdout.write(
            f"| {name} | {statistics.median(wall):.2f} | {wall[len(wall) * 95 // 100]:.2f} | {cpu:.2f} |\n"
        )


if __name__ == "__main__":
    main()
