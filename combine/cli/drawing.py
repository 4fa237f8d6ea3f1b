"""A workflow's graph in a terminal: one row of boxes for each layer, what runs in parallel side by side. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from combine.workflows.definitions import StepDefinition, WorkflowDefinition
from combine.workflows.graph import layers

_GAP = "   "
_WIDEST = 110


def draw(workflow: WorkflowDefinition) -> Iterator[str]:
    """The lines of the drawing. A row too wide for a terminal is broken into several."""
    rows = [list(_rows([_box(step) for step in layer])) for layer in layers(workflow)]
    width = max(len(line) for layer in rows for row in layer for line in row)
    for number, layer in enumerate(rows):
        if number:
            yield "│".center(width).rstrip()
            yield "▼".center(width).rstrip()
        yield from (line.center(width).rstrip() for row in layer for line in row)


def _rows(boxes: Sequence[list[str]]) -> Iterator[list[str]]:
    row: list[list[str]] = []
    for box in boxes:
        if row and sum(len(one[0]) + len(_GAP) for one in [*row, box]) > _WIDEST:
            yield _beside(row)
            row = []
        row.append(box)
    yield _beside(row)


def _beside(boxes: Sequence[list[str]]) -> list[str]:
    height = max(len(box) for box in boxes)
    filled = [box + [" " * len(box[0])] * (height - len(box)) for box in boxes]
    return [_GAP.join(parts) for parts in zip(*filled, strict=True)]


def _box(step: StepDefinition) -> list[str]:
    lines = [
        f"{step.step_id} ({step.role})",
        f"reads  {', '.join(('brief', *step.inputs))}",
        f"writes {step.output}",
        *_remarks(step),
    ]
    width = max(map(len, lines))
    return [f"┌{'─' * (width + 2)}┐", *(f"│ {line:<{width}} │" for line in lines), f"└{'─' * (width + 2)}┘"]


def _remarks(step: StepDefinition) -> list[str]:
    remarks = []
    if step.is_final:
        remarks.append("final")
    if step.allow_clarification:
        remarks.append("may ask")
    if step.requires_acceptance:
        remarks.append("waits for acceptance")
    if step.model:
        remarks.append(step.model)
    if step.fallback_model:
        remarks.append(f"else {step.fallback_model}")
    return [", ".join(remarks)] if remarks else []
