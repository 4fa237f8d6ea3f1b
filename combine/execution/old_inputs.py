"""For calls of programs that did not keep what a prompt was rendered from: read it back from the prompt's text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from combine.prompts.builder import read_prompt
from combine.records import Call, ExecutionSnapshot

_PREVIOUS = re.compile(r'^<previous type="([^"]+)" version="(\d+)">', re.MULTILINE)


def with_inputs(recorded: ExecutionSnapshot) -> ExecutionSnapshot:
    """The snapshot, in which every call that has a prompt has an input. It says what a replay needs, no more."""
    calls = (replace(call, input=call.input or _read_back(recorded, call)) for call in recorded.calls)
    return replace(recorded, calls=tuple(calls))


def previous_shown(snapshot: ExecutionSnapshot) -> frozenset[tuple[str, int]]:
    """Type and version of every earlier document that a prompt of the execution has shown."""
    found = set()
    for call in snapshot.calls:
        if call.input is not None:
            if (shown := call.input["previous"]) is not None:
                found.add((str(shown["type"]), int(shown["version"])))
        elif call.prompt is not None and (match := _PREVIOUS.search(call.prompt.prefix)):
            found.add((match[1], int(match[2])))
    return frozenset(found)


def _read_back(recorded: ExecutionSnapshot, call: Call) -> Mapping[str, Any] | None:
    if call.prompt is None:
        return None
    step = recorded.execution.workflow.step(call.step_id)
    if step.is_final:  # it is not shown its previous version, but its checks know it
        versions = [one.version for one in recorded.previous if one.type == step.output]
        previous = {"type": step.output, "version": max(versions)} if versions else None
    else:
        shown = _PREVIOUS.search(call.prompt.prefix)
        previous = {"type": shown[1], "version": int(shown[2])} if shown else None
    return {"previous": previous, "next_ids": dict(read_prompt(call.prompt.prefix, call.prompt.task).next_ids)}
