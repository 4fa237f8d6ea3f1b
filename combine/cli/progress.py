"""The events of an execution, as lines and as a live display on stderr."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from combine.cli.formatting import count, duration, usd
from combine.cli.runtime import say
from combine.records import Event

_DOING = {"draft": "drafting", "remediation": "fixing", "revision": "revising", "review": "reviewing"}


@dataclass(slots=True)
class StepProgress:
    """A step that is running."""

    step_id: str
    output: str
    began: datetime
    doing: str = "drafting"
    attempt: int = 1
    input_tokens: int = 0
    output_tokens: int = 0
    estimated: int = 0
    """Output tokens so far of the reply that is being received."""
    cost_usd: Decimal | None = Decimal(0)
    waiting: str | None = None

    def add_call(self, data: Mapping[str, Any]) -> None:
        """Add a finished call."""
        self.input_tokens += sum(data.get(f"{kind}_tokens", 0) for kind in ("input", "cache_read", "cache_write"))
        self.output_tokens += data.get("output_tokens", 0)
        self.estimated = 0
        cost = data.get("cost_usd")
        self.cost_usd = None if cost is None or self.cost_usd is None else self.cost_usd + Decimal(cost)

    def stats(self, now: datetime) -> str:
        """Seconds, tokens and cost so far."""
        tokens = f"{self.input_tokens:,} tokens in, {self.output_tokens:,} out"
        if self.estimated:
            tokens += f" (about {self.estimated:,} more so far)"
        return f"{duration((now - self.began).total_seconds())}, {tokens}, {usd(self.cost_usd)}"


class ProgressState:
    """Folds events into the current state. Pure. ``outputs``: step -> document type; ``model``: of the execution."""

    def __init__(self, outputs: Mapping[str, str], model: str) -> None:
        self._outputs = outputs
        self._model = model
        self._handlers: dict[str, Callable[[Event], str | None]] = {
            "unpriced_allowed": self._unpriced_allowed,
            "execution_running": self._execution_running,
            "call_started": self._call_started,
            "call_progress": self._call_progress,
            "call_finished": self._call_finished,
            "call_failed": self._call_failed,
            "call_settled": self._call_settled,
            "findings_found": self._findings_found,
            "questions_asked": self._questions_asked,
            "document_saved": self._document_saved,
            "revision_started": self._revision_started,
            "fallback_used": self._fallback_used,
            "provider_tried_again": self._provider_tried_again,
        }
        self.running: dict[str, StepProgress] = {}

    def apply(self, event: Event) -> str | None:
        """Apply an event. Returns the line to show for it, if any."""
        line = self._handlers.get(event.kind, self._other)(event)
        return line if event.step_id is None or line is None else f"{event.step_id}: {line}"

    def _unpriced_allowed(self, event: Event) -> str:
        models = ", ".join(event.data.get("models", ()))
        return f"Calls of {models} do not count towards any cap, because their price is unknown"

    def _execution_running(self, event: Event) -> str | None:
        self.running.clear()
        if unknown := event.data.get("outcome_unknown"):
            were = "was" if unknown == 1 else "were"
            return f"{count(unknown, 'call')} {were} in flight when the last process ended; outcome unknown"
        return None

    def _call_started(self, event: Event) -> str:
        assert event.step_id is not None  # every call belongs to a step
        step = self.running.get(event.step_id)
        if step is None:
            output = self._outputs.get(event.step_id, event.step_id)
            step = self.running[event.step_id] = StepProgress(event.step_id, output, event.at)
        step.doing = _DOING.get(str(event.data.get("purpose")), "drafting")
        step.attempt = int(event.data.get("attempt", 1))
        step.waiting = None
        subject = "the documents" if step.doing == "reviewing" else step.output
        return f"{step.doing} {subject} ({event.data.get('model') or self._model})"

    def _call_progress(self, event: Event) -> str | None:
        step = self.running.get(event.step_id or "")
        if step is None:
            return None
        step.estimated = int(event.data.get("output_tokens_estimated") or 0)
        wait = event.data.get("waiting_s")
        already_shown = step.waiting is not None
        step.waiting = None if wait is None else f"retrying in {duration(wait)}: {event.data.get('reason') or ''}"
        return None if already_shown else step.waiting

    def _call_finished(self, event: Event) -> str | None:
        if step := self.running.get(event.step_id or ""):
            step.add_call(event.data)
        return None

    def _call_failed(self, event: Event) -> str:
        self._call_finished(event)
        return f"call failed: {event.data.get('error') or 'no reason given'}"

    def _call_settled(self, event: Event) -> str:
        new, old = (None if (text := event.data.get(name)) is None else Decimal(text) for name in ("usd", "was_usd"))
        return f"a call with an unknown outcome was settled at {usd(new)} (before: {usd(old)})"

    def _findings_found(self, event: Event) -> str:
        codes = ", ".join(event.data.get("codes", ()))
        return f"{count(event.data.get('findings', 0), 'finding')} in attempt {event.data.get('attempt')}: {codes}"

    def _questions_asked(self, event: Event) -> str:
        asked, waiting = len(event.data.get("questions", ())), event.data.get("open", 0)
        if waiting:
            self.running.pop(event.step_id or "", None)
        return count(asked, "question") + (f", {waiting} to answer" if waiting else ", already answered")

    def _document_saved(self, event: Event) -> str:
        step = self.running.pop(event.step_id or "", None)
        stats = f", {step.stats(event.at)}" if step else ""
        return f"{event.data.get('document')} version {event.data.get('version')}{stats}"

    def _revision_started(self, event: Event) -> str:
        steps = ", ".join(step for step in event.data.get("steps", ()) if step != event.step_id)
        return f"sent back {steps} with {count(event.data.get('findings', 0), 'finding')}"

    def _fallback_used(self, event: Event) -> str:
        data = event.data
        return f"{data.get('model')} failed, falling back to {data.get('fallback_model')}: {data.get('reason') or ''}"

    def _provider_tried_again(self, event: Event) -> str:
        name = event.data.get("provider") or "the provider"
        return (
            f"checking whether {name} is available again" if event.data.get("probe") else f"{name} is available again"
        )

    def _other(self, event: Event) -> str | None:
        if event.kind.startswith(("step_", "budget_")):
            self.running.pop(event.step_id or "", None)
            return str(event.data.get("reason") or event.kind.replace("_", " "))
        return None


class PlainDisplay:
    """One line per event, for pipes and logs."""

    def __init__(self, outputs: Mapping[str, str], model: str) -> None:
        self._state = ProgressState(outputs, model)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def show(self, event: Event) -> None:
        """Print the line of the event, if it has one."""
        line = self._state.apply(event)
        if line is not None:
            say(line)


class LiveDisplay:
    """The same lines, and below them the running steps with a clock."""

    def __init__(self, outputs: Mapping[str, str], model: str) -> None:
        self._state = ProgressState(outputs, model)
        self._console = Console(stderr=True, highlight=False)
        self._spinner = Spinner("line")
        self._live = Live(
            console=self._console, transient=True, refresh_per_second=8, get_renderable=self._now, redirect_stdout=False
        )

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, event: Event) -> None:
        """Print the line of the event, unless the live part shows the same."""
        line = self._state.apply(event)
        if line is not None and event.kind != "call_started":
            self._console.print(Text(line), soft_wrap=True)

    def _now(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for step in list(self._state.running.values()):
            what = f"{step.step_id}: {step.doing} {step.output}"
            if step.doing == "fixing":
                what += f", attempt {step.attempt}"
            table.add_row(Spinner("line"), Text(what), Text(step.waiting or step.stats(datetime.now(UTC)), style="dim"))
        return table
