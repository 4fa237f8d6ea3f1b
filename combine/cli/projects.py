"""``combine projects``."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal

from combine.cli.exit_codes import ExitCode
from combine.cli.looking import as_json
from combine.cli.places import the_place
from combine.cli.runtime import put
from combine.cli.tables import table
from combine.cli.wording import usd


async def list_projects(*, json: bool) -> int:
    """All projects by name."""
    async with the_place().reading() as reading:
        found = await reading.projects.list()
    if json:
        put(as_json([asdict(one) for one in found]))
        return ExitCode.COMPLETED
    if not found:
        put("No projects. One begins with: combine run BRIEF --project NAME")
        return ExitCode.COMPLETED
    rows = [
        (
            one.name,
            str(one.documents),
            str(one.executions),
            "none" if one.budget_usd is None else usd(one.budget_usd),
            usd(one.spent_usd),
            usd(one.reserved_usd),
        )
        for one in found
    ]
    headers = ("PROJECT", "DOCUMENTS", "EXECUTIONS", "CAP", "SPENT", "RESERVED")
    for line in table(headers, rows, right=frozenset(range(1, len(headers)))):
        put(line)
    return ExitCode.COMPLETED


async def set_budget(name: str, amount: Decimal | None, *, json: bool) -> int:
    """Set the cap of a project, or take it away."""
    async with the_place().reading() as reading:
        project = await reading.projects.set_budget(name, amount)
    if json:
        put(as_json(asdict(project)))
        return ExitCode.COMPLETED
    cap = "has no cap now" if amount is None else f"may cost at most {usd(amount)} in all"
    put(f"Project {name!r} {cap}; spent {usd(project.spent_usd)}, reserved {usd(project.reserved_usd)}.")
    return ExitCode.COMPLETED
