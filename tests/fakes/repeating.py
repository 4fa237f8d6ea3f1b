"""What the step executor does with attempts that may have been billed: each is a call of its own, until one replies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from combine.errors import LLMError
from combine.llm.protocol import LLMReply, LLMRequest, Usage


async def repeated(complete: Callable[[LLMRequest], Awaitable[LLMReply]], request: LLMRequest) -> LLMReply:
    """The reply, or the last error, with the attempts and the usage of all calls."""
    spent, attempts = Usage(), 0
    while True:
        try:
            reply = await complete(replace(request, attempts_before=attempts))
        except LLMError as error:
            spent += error.details["usage"]
            attempts += error.details["attempts"]
            if not error.details.get("may_repeat"):
                error.details |= {"usage": spent, "attempts": attempts}
                raise
        else:
            return replace(reply, usage=spent + reply.usage, attempts=attempts + reply.attempts)


class Repeating:
    """A provider whose ``complete`` does that."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    async def complete(self, request: LLMRequest, on_progress: Any = None) -> LLMReply:
        return await repeated(lambda one: self._provider.complete(one, on_progress), request)
