"""Replies that the database cannot store: each is kept, none stands in the way of another."""

import asyncio
import json
from dataclasses import replace

import pytest
import sqlalchemy as sa
from test_commits_and_races import ALWAYS
from test_late_results import intent_of

from combine.documents.statuses import CallState
from combine.execution import kept_replies
from combine.execution.kept_replies import KeptReplies
from combine.storage.core.database import Database
from combine.storage.hot.journal import Journal


async def replied(house, **changes):
    """A call with its reply, as it is before it is stored."""
    row = await house.row(await house.start())
    intent = intent_of(row)
    await house.database.once(lambda session: Journal(session).open_call(ALWAYS, intent))
    return replace(intent, state=CallState.REPLIED, reply="the reply", **changes)


async def states(house):
    async with house.database.read() as session:
        return (await session.connection.execute(sa.text("SELECT state FROM llm_calls"))).scalars().all()


def keep(call, folder):
    folder.mkdir(exist_ok=True)
    keeper = KeptReplies(Database("postgresql://nobody@127.0.0.1:1/nothing"), folder)
    keeper._unsaved.add(call.id)
    keeper._keep(call)
    return folder / f"{call.id}.json"


@pytest.mark.parametrize("text", ["\ud83d", "a\0b", "\x1b[2J", "naïve"], ids=["half a pair", "zero", "escape", "plain"])
async def test_whatever_a_provider_says_is_no_reason_to_lose_its_reply(house, tmp_path, text):
    call = await replied(house, stop_detail=text, model_answered=text, provider_request_id=text, error_message=text)
    await KeptReplies(house.database, tmp_path).store(call)
    assert await states(house) == ["replied"]


@pytest.mark.parametrize("damaged", ["{", '{"call": {}}', "", "base64"])
async def test_a_damaged_file_does_not_stop_the_others(house, tmp_path, damaged):
    call = await replied(house)
    file = keep(call, tmp_path / "replies")
    if damaged == "base64":
        whole = json.loads(file.read_text())
        damaged = json.dumps(whole | {"reply": "not base64!"})
    (file.parent / "00000000.json").write_text(damaged)
    await KeptReplies(house.database, file.parent).take_in()
    assert await states(house) == ["replied"]
    assert [one.name for one in file.parent.iterdir()] == ["00000000.json"]


async def test_a_reply_that_is_nowhere_else_is_not_left_however_often_it_is_cancelled(house, monkeypatch):
    monkeypatch.setattr(kept_replies, "KEEP_AFTER_S", 0.01)
    call, release = await replied(house), asyncio.Event()
    keeper = KeptReplies(house.database, None)
    once = house.database.once

    async def held(work, **options):
        await release.wait()
        return await once(work, **options)

    monkeypatch.setattr(house.database, "once", held)
    storing = asyncio.create_task(keeper.store(call))
    for _ in range(3):
        await asyncio.sleep(0.03)
        storing.cancel()
    await asyncio.sleep(0.03)
    assert keeper.any_unsaved()
    assert not storing.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await storing
    monkeypatch.undo()
    assert (await states(house), keeper.any_unsaved()) == (["replied"], False)
