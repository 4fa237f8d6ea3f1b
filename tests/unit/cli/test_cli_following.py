"""Following an execution through an outage of the database, without losing its place or its ID."""

from types import SimpleNamespace
from uuid import UUID

import pytest

from combine.cli import work
from combine.errors import DatabaseUnavailable

EXECUTION = UUID("49bbb096-0000-4000-8000-000000000000")


class Inspection:
    """Three events, and an outage after each of the first two."""

    def __init__(self):
        self.asked = []

    async def detail(self, _):
        return SimpleNamespace(steps=(), execution=SimpleNamespace(model="scripted"))

    async def follow(self, _, after_seq):
        self.asked.append(after_seq)
        data = {"reason": f"event {after_seq + 1}"}
        yield SimpleNamespace(seq=after_seq + 1, kind="budget_reached", step_id=None, data=data)
        if after_seq < 2:
            raise DatabaseUnavailable("The database is away.")


async def test_following_goes_on_where_it_was_and_names_the_id(monkeypatch, capsys):
    monkeypatch.setattr(work, "_NEXT_TRY_S", 0)
    inspection = Inspection()
    last = await work.follow(SimpleNamespace(inspection=inspection), EXECUTION, 0, live=False)
    assert (last, inspection.asked) == (3, [0, 1, 2])
    said = capsys.readouterr().err
    assert [f"event {n}" in said for n in (1, 2, 3)] == [True] * 3
    assert said.count("combine resume 49bbb096") == 2


async def test_other_errors_end_it():
    class Broken(Inspection):
        async def follow(self, _, after_seq):
            raise LookupError
            yield

    with pytest.raises(LookupError):
        await work.follow(SimpleNamespace(inspection=Broken()), EXECUTION, 0, live=False)
