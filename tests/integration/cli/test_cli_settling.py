"""`combine settle`, on the database and at a server: the same output, the same exit codes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import psycopg
import pytest
from house import House
from ledger import open_call, unknown_call, wrong_sums
from serve_process import ServeProcess

from combine.storage.core.database import Database
from combine.workflows.catalog import load_catalog

HEX = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{8}\b")


@dataclass
class Place:
    """Commands, and beneath them the database."""

    cli: object
    url: str
    environment: dict[str, str]

    def __call__(self, *arguments):
        return self.cli.here(*arguments, **self.environment)

    def made(self, work):
        """What a coroutine function of a ``House`` returns."""

        async def on_a_database():
            database = Database(self.url)
            try:
                return await work(House(database, load_catalog(None)))
            finally:
                await database.close()

        return asyncio.run(on_a_database())

    def unknown(self, usd="0.5"):
        """Ids of an execution and of a call of it whose outcome is unknown."""

        async def work(house):
            execution = await house.start()
            return execution, str(await unknown_call(house.database, execution, usd))

        return self.made(work)

    def sql(self, text, *values):
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(text, values)

    def wrong(self):
        return self.made(lambda house: wrong_sums(house.database))


@pytest.fixture(scope="module")
def server(module_cli) -> Iterator[tuple[str, str]]:
    running = ServeProcess(module_cli.env(), module_cli.folder).start("--no-worker")
    token = module_cli.here("tokens", "create", "tests", "--scope", "admin").out.strip()
    yield running.url, token
    running.stop()


@pytest.fixture(params=["here", "there"])
def place(request, module_cli, module_database_url, server):
    url, token = server
    there = {"COMBINE_SERVER": url, "COMBINE_TOKEN": token, "COMBINE_DATABASE_URL": "postgresql://x@127.0.0.1:1/none"}
    return Place(module_cli, module_database_url, there if request.param == "there" else {})


def shown(text):
    return HEX.sub("<id>", text)


def test_show_names_the_call_and_the_command_that_settles_it(place):
    execution, call = place.unknown()
    page = place("show", execution).out
    line = f"combine settle {execution[:8]} {call[:8]} --usd USD"
    assert re.search(rf"^  discovery, attempt 1: .*0\.5000 USD.* {line}$", page, re.MULTILINE)
    assert re.search(rf"^  {call[:8]}  discovery .* outcome unknown .* reserved 0\.5000 USD$", page, re.MULTILINE)
    assert "combine settle EXECUTION CALL --usd USD" in place("costs").out
    done = place(*line.split()[1:-1], "0.12")
    assert (done.code, done.err) == (0, "")
    settled, cost = done.out.splitlines()
    assert all(part in settled for part in (call[:8], execution[:8], "0.1200 USD"))
    assert cost.startswith("Cost of the execution: 0.1200 USD, ")
    assert "reserved 0.1200 USD" in place("show", execution).out
    assert place.wrong() == []


def test_as_json_it_is_the_object_of_show(place):
    execution, call = place.unknown(None)
    done = place("settle", execution, call, "--usd", "$0.25", "--json")
    assert done.code == 0, done.err
    assert done.json["cost_usd"] == 0.25
    assert done.json == place("show", execution, "--json").json


def test_it_stands_among_the_events(place):
    execution, call = place.unknown()
    assert place("settle", execution, call, "--usd", "0").code == 0
    assert place("cancel", execution).code == 0
    assert re.search(r"^discovery: .* 0 USD .*0\.5000 USD", place("watch", execution).err, re.MULTILINE)


@pytest.mark.parametrize(
    ("reason", "budget", "next_step"),
    [
        ("budget_reached", "0.600000", "combine resume <id> --budget 0.6  ("),
        ("project_budget_reached", None, "combine resume <id>"),
        ("daily_budget_reached", "5", "combine resume <id>"),
        ("price_unknown", None, "set its price"),
    ],
)
def test_what_waits_at_a_cap_is_told_how_to_go_on(place, reason, budget, next_step):
    execution, call = place.unknown()
    place.sql(
        "UPDATE executions SET status = 'waiting_for_budget', reason_code = %s, budget_usd = %s WHERE id = %s",
        reason,
        None if budget is None else Decimal(budget),
        execution,
    )
    done = place("settle", execution, call, "--usd", "0.12")
    assert done.code == 0, done.err
    assert f"Next: {next_step}" in shown(done.out)
    assert "waiting for budget" in place("show", execution).out


@pytest.mark.parametrize(
    ("execution", "call", "usd", "words"),
    [
        ("{execution}", "ffffffff", "0.1", "<id>"),
        ("{execution}", "zz", "0.1", "zz"),
        ("{execution}", "abc", "0.1", "'abc'"),
        ("ffffffff", "{call}", "0.1", "combine list"),
        ("{execution}", "{flying}", "0.1", "in flight"),
        ("{execution}", "{call}", "-1", "'--usd': '-1'"),
        ("{execution}", "{call}", "much", "'--usd': 'much'"),
        ("{execution}", "{call}", None, "Missing option '--usd'"),
    ],
)
def test_what_is_refused_is_wrong_use_and_changes_nothing(place, execution, call, usd, words):
    first, unknown = place.unknown()
    flying = place.made(lambda house: open_call(house.database, first, "0.1"))
    given = {"execution": first, "call": unknown, "flying": flying}
    arguments = [word.format(**given) for word in (execution, call)] + ([] if usd is None else ["--usd", usd])
    refused = place("settle", *arguments)
    assert (refused.code, refused.out) == (2, "")
    assert words in shown(refused.err)
    assert "reserved 0.5000 USD" in place("show", first).out
    assert place.wrong() == []
