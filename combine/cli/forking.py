"""``combine resume ID --from STEP``: a new execution that takes over what stands before one step."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from combine.cli.places import the_place
from combine.cli.ports import Working
from combine.cli.run import Output
from combine.cli.runtime import say
from combine.cli.wording import count, short
from combine.cli.work import carry_on
from combine.errors import Invalid
from combine.services.forks import ForkExecution


async def fork(
    execution: str,
    from_step: str | None,
    model: str | None,
    budget: Decimal | None,
    output: Output,
    *,
    beside: Sequence[str],
    allow_unpriced: bool,
) -> int:
    """Start the new execution and work until it rests. ``beside``: options that were given and do not belong here."""
    if from_step is None:
        raise Invalid(
            "--model belongs to --from: an execution keeps its model.",
            code="model_without_fork",
            hint=f"Run a step and what follows with another one: combine resume {execution} --from STEP --model ...",
        )
    if beside:
        raise Invalid(f"--from and {beside[0]} are two different ways to go on.", code="fork_unexpected")
    place = the_place()
    command = ForkExecution(from_step, model, budget, allow_unpriced)

    async def begin(working: Working) -> UUID:
        if model is not None:
            place.check_model(model)  # a missing key is said before anything is begun
        fork_id = await working.executions.fork(execution, command)
        detail = await working.inspection.detail(str(fork_id))
        taken = count(len(detail.current_documents), "document")
        say(f"New execution {short(fork_id)}, forked at {from_step}: {taken} taken over.")
        return fork_id

    return await carry_on(place, begin, output.manner())
