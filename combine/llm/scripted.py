"""Replies from a script instead of a model, for tests and demonstrations. ``script_file.py`` has the file form.

A script is one of

- a function of the request, which returns the reply;
- a list of outputs, used in the order of the calls;
- a mapping of ``schema_name`` (the document type) to an output or a list of them, with ``"*"`` for every other type.

An output is a string, a ``ScriptedReply`` or an exception to raise. In lists the last output repeats. Outputs with a
``when`` are not part of the order: the first one whose condition holds is used, as often as it holds.

Positions in a list are counted per brief and ``schema_name``, so concurrent or consecutive executions get the same
sequence as long as their briefs differ. The brief is the text between ``<brief>`` and ``</brief>`` in the prefix, or
the whole prefix; the rest of the prefix changes with every answer and revision. Positions are kept in memory: a new
process starts at the first output again. Scripts that must work across restarts, or for several executions of one
brief, use ``when``, which depends only on the request: ``contains "<draft>"`` matches a repair, for example.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from combine.errors import PermanentLLMError
from combine.llm.protocol import LLMReply, LLMRequest, OnProgress, Progress, ProviderHealth, StopReason
from combine.llm.retry import CHARACTERS_PER_TOKEN
from combine.records import Usage

ANY_TYPE: Final = "*"


@dataclass(frozen=True, slots=True)
class When:
    """A condition on the request's prefix and task together."""

    contains: tuple[str, ...] = ()
    """Every one of these occurs."""
    lacks: tuple[str, ...] = ()
    """None of these occurs."""

    def holds(self, request: LLMRequest) -> bool:
        """Whether ``request`` meets it."""
        text = f"{request.prefix}\n{request.task}"
        return all(part in text for part in self.contains) and not any(part in text for part in self.lacks)


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """One reply of ``complete``."""

    text: str = ""
    delay_s: float = 0.0
    stop_reason: StopReason = StopReason.END
    usage: Usage | None = None
    """None: estimated from the length of the texts."""
    error: Exception | None = None
    """Raised after the delay, instead of a reply."""
    model: str = "scripted"
    detail: str | None = None
    when: When | None = None


ScriptedOutput = str | ScriptedReply | Exception
ScriptedOutputs = ScriptedOutput | Sequence[ScriptedOutput]
Script = Callable[[LLMRequest], ScriptedOutput] | ScriptedOutputs | Mapping[str, ScriptedOutputs]


class ScriptedProvider:
    """The ``scripted`` provider. Errors in the script are raised at once, without retries."""

    name = "scripted"

    def __init__(
        self,
        script: Script,
        *,
        origin: str = "a script",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._script = script
        self._origin = origin
        self._sleep = sleep
        self._positions: dict[str, int] = {}

    async def complete(self, request: LLMRequest, on_progress: OnProgress | None = None) -> LLMReply:
        """The next scripted reply. Raises the script's errors, or PermanentLLMError (``scripted_reply_missing``)."""
        reply = _as_reply(self._output(request))
        if on_progress is not None:
            on_progress(Progress(output_tokens=0))
        if reply.delay_s:
            await self._sleep(reply.delay_s)
        if reply.error is not None:
            # A copy, since raising adds a traceback to the exception and the script may raise it again.
            raise copy.copy(reply.error)
        usage = reply.usage or _estimate(request, reply.text)
        if on_progress is not None:
            on_progress(Progress(output_tokens=usage.output_tokens))
        return LLMReply(
            text=reply.text, stop_reason=reply.stop_reason, usage=usage, model=reply.model, detail=reply.detail
        )

    async def check(self) -> ProviderHealth:
        """Always successful: there is no server."""
        return ProviderHealth(self.name, ok=True, message=f"Replies come from {self._origin}; no language model.")

    async def close(self) -> None:
        """Nothing to close."""

    def _output(self, request: LLMRequest) -> ScriptedOutput:
        if callable(self._script):
            return self._script(request)
        outputs, group = self._outputs_for(request)
        for output in outputs:
            if isinstance(output, ScriptedReply) and output.when is not None and output.when.holds(request):
                return output
        ordered = [output for output in outputs if not (isinstance(output, ScriptedReply) and output.when)]
        if not ordered:
            raise PermanentLLMError(
                f"The script has no reply for this request of type {request.schema_name!r}.",
                code="scripted_reply_missing",
                hint=f"Add one to {self._origin}.",
            )
        key = f"{group}:{_brief_key(request.prefix)}"
        position = self._positions.get(key, 0)
        self._positions[key] = position + 1
        return ordered[min(position, len(ordered) - 1)]

    def _outputs_for(self, request: LLMRequest) -> tuple[Sequence[ScriptedOutput], str]:
        assert not callable(self._script)
        if isinstance(self._script, Mapping):
            chosen = self._script.get(request.schema_name)
            return _as_list(self._script.get(ANY_TYPE, ()) if chosen is None else chosen), request.schema_name
        return _as_list(self._script), ""


def _as_list(outputs: ScriptedOutputs) -> Sequence[ScriptedOutput]:
    # a string is a sequence too
    return (outputs,) if isinstance(outputs, str | ScriptedReply | Exception) else outputs


def _as_reply(output: ScriptedOutput) -> ScriptedReply:
    if isinstance(output, ScriptedReply):
        return output
    return ScriptedReply(text=output) if isinstance(output, str) else ScriptedReply(error=output)


def _brief_key(prefix: str) -> str:
    _, opened, rest = prefix.partition("<brief>")
    brief = rest.partition("</brief>")[0] if opened else prefix
    return hashlib.sha256(brief.encode()).hexdigest()


def _estimate(request: LLMRequest, text: str) -> Usage:
    characters = len(request.system) + len(request.prefix) + len(request.task)
    return Usage(
        input_tokens=round(characters / CHARACTERS_PER_TOKEN), output_tokens=round(len(text) / CHARACTERS_PER_TOKEN)
    )
