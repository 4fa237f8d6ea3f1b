"""The retry loop for transport errors.

The SDKs' own retries are switched off: two loops multiply, and theirs wait for any Retry-After, however long.
This one covers the whole stream. An attempt that may have been billed ends the call, because the next one needs room
of its own under the caps.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from combine.backoff import doubled, jittered
from combine.errors import LLMError, PermanentLLMError, TransientLLMError
from combine.llm.protocol import LLMReply, LLMRequest, OnProgress, Progress
from combine.records import Usage

CHARACTERS_PER_TOKEN: Final = 3.5
"""For estimating progress, and usage that a provider did not report."""

USAGE_ESTIMATED: Final = "the server reported no usable token counts; tokens are estimated"
"""In the ``detail`` of a reply whose provider gave no counts, or impossible ones."""

TEXT_IN_REASONING: Final = "the server sent the text as the model's reasoning, not as content"
"""In the ``detail`` of a reply whose content was empty."""

_PROGRESS_INTERVAL_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Number of retries and waits. All durations in seconds."""

    max_retries: int = 3
    """Attempts after the first."""
    retry_after_cap_s: float = 60.0
    """The longest Retry-After to wait for; a longer one ends the call with ``retry_after_too_long``."""
    base_delay_s: float = 0.5
    max_delay_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Timing:
    """The source of time and randomness."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random


class Attempt:
    """One transport attempt: the provider reports what arrives; it passes on progress and tracks the usage."""

    def __init__(self, number: int, request: LLMRequest, on_progress: OnProgress | None, timing: Timing) -> None:
        self.number = number
        self._request = request
        self._on_progress = on_progress
        self._timing = timing
        self._last_report: float | None = None
        self._began = False
        self._characters = 0
        self._usage: Usage | None = None
        self._final = False

    def began(self) -> None:
        """The reply has started: from now on the provider charges for the input."""
        self._began = True

    def streamed(self, text: str) -> None:
        """Output has arrived. Calls the progress callback, at most four times per second."""
        self._began = True
        if text:
            self._characters += len(text)
            self._final = False
        now = self._timing.clock()
        if self._last_report is None or now - self._last_report >= _PROGRESS_INTERVAL_S:
            self._last_report = now
            self.report(Progress(output_tokens=_tokens(self._characters), attempt=self.number))

    def counted(self, usage: Usage, *, final: bool) -> None:
        """The provider has reported its counts so far; they replace earlier ones. 0: not reported."""
        self._began = True
        self._usage = usage
        self._final = final

    def report(self, progress: Progress) -> None:
        """Call the progress callback."""
        if self._on_progress is not None:
            self._on_progress(progress)

    @property
    def usage_stated(self) -> bool:
        """Whether the provider reported all counts, so that nothing is estimated."""
        return self._usage is not None and self.billed() == self._usage

    def billed(self) -> Usage:
        """The known usage of this attempt: the reported counts, and an estimate for missing ones.

        No input for a prompt that was sent, and no output for text that arrived, count as missing.
        """
        if not self._began:
            return Usage()
        found = self._usage or Usage()
        if found.input_tokens + found.cache_read_tokens + found.cache_write_tokens == 0:
            found = replace(found, input_tokens=_tokens(_request_characters(self._request)))
        if self._final and found.output_tokens:
            return found
        # An interrupted stream never reports its final output count.
        estimate = max(1, _tokens(self._characters)) if self._characters else 0
        return replace(found, output_tokens=max(found.output_tokens, estimate))


Send = Callable[[Attempt], Awaitable[LLMReply]]


async def complete_with_retries(
    send: Send,
    request: LLMRequest,
    on_progress: OnProgress | None,
    policy: RetryPolicy,
    timing: Timing,
) -> LLMReply:
    """The reply of the first attempt that succeeds.

    ``send`` raises TransientLLMError to be called again. Errors raised here have in ``details`` the number of
    ``attempts``, the ``usage`` of the last one (a Usage), ``retry_after_s`` if the provider sent one, and
    ``may_repeat`` if the attempt may have been billed and the call may be made again now. A cancelled call reports its
    usage as its last progress.
    """
    number = request.attempts_before
    while True:
        number += 1
        attempt = Attempt(number, request, on_progress, timing)
        try:
            reply = await send(attempt)
        except asyncio.CancelledError:
            attempt.report(Progress(output_tokens=0, attempt=number, usage=attempt.billed()))
            raise
        except TransientLLMError as error:
            spent = attempt.billed()
            _account(error, number - request.attempts_before, spent)
            too_long = _asks_for_too_long(error, policy)
            if too_long is not None:
                raise too_long from error
            if number > policy.max_retries or error.details.get("limit_per_day"):
                raise
            wait = _wait(error, number, policy, timing)
            attempt.report(Progress(output_tokens=0, attempt=number, waiting_s=wait, reason=error.message))
            try:
                await timing.sleep(wait)
            except asyncio.CancelledError:
                attempt.report(Progress(output_tokens=0, attempt=number, usage=spent))
                raise
            if spent != Usage():
                error.details["may_repeat"] = True
                raise
        except PermanentLLMError as error:
            _account(error, number - request.attempts_before, attempt.billed())
            raise
        else:
            attempt.report(Progress(output_tokens=reply.usage.output_tokens, attempt=number))
            return LLMReply(
                text=reply.text,
                stop_reason=reply.stop_reason,
                usage=reply.usage,
                model=reply.model,
                request_id=reply.request_id,
                attempts=number - request.attempts_before,
                detail=reply.detail,
            )


def asked_wait_s(error: LLMError) -> float | None:
    """The provider's Retry-After in seconds; None if it sent none."""
    asked = error.details.get("retry_after_s")
    return float(asked) if isinstance(asked, int | float) else None


def _account(error: LLMError, attempts: int, spent: Usage) -> None:
    error.details["attempts"] = attempts
    error.details["usage"] = spent


def _asks_for_too_long(error: TransientLLMError, policy: RetryPolicy) -> TransientLLMError | None:
    asked = asked_wait_s(error)
    if asked is None or asked <= policy.retry_after_cap_s:
        return None
    return TransientLLMError(
        f"{error.message} The provider's Retry-After is {asked:.0f} s; the limit is {policy.retry_after_cap_s:.0f} s.",
        code="retry_after_too_long",
        hint="Resume the execution after that time, or raise COMBINE_LLM_RETRY_AFTER_CAP.",
        details={**error.details, "cause": error.code},
    )


def _wait(error: TransientLLMError, attempts: int, policy: RetryPolicy, timing: Timing) -> float:
    """Seconds until the next attempt: the provider's Retry-After or an exponential backoff, whichever is longer."""
    backoff = jittered(doubled(policy.base_delay_s, policy.max_delay_s, attempts - 1), timing.random)
    # All rejected clients got the same Retry-After; jitter of up to 10 % spreads them.
    asked = (asked_wait_s(error) or 0.0) * (1 + 0.1 * timing.random())
    return max(asked, backoff)


def _request_characters(request: LLMRequest) -> int:
    return len(request.system) + len(request.prefix) + len(request.task)


def _tokens(characters: int) -> int:
    return round(characters / CHARACTERS_PER_TOKEN)
