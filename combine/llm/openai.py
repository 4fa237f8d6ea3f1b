"""OpenAI and every server that supports its chat completions API, through OpenAI's SDK.

Imported when the provider is first used, since the SDK takes a second to load. Compatible servers (Ollama, vLLM,
LM Studio, llama.cpp, gateways) omit and retype fields: a missing or impossible usage is estimated and marked as such.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import openai

from combine.llm import faults, refusals, shapes
from combine.llm.protocol import LLMReply, LLMRequest, OnProgress, ProviderHealth, StopReason, text_of
from combine.llm.retry import TEXT_IN_REASONING, USAGE_ESTIMATED, Attempt, RetryPolicy, Timing, complete_with_retries
from combine.records import Usage

_STOP_REASONS: Final[Mapping[str, StopReason]] = {
    "stop": StopReason.END,
    "length": StopReason.MAX_TOKENS,
    "content_filter": StopReason.REFUSAL,
    # compatible servers
    "end_turn": StopReason.END,
    "eos": StopReason.END,
    "max_tokens": StopReason.MAX_TOKENS,
    "model_length": StopReason.MAX_TOKENS,
}
_FAILURES: Final = frozenset({"error", "network_error", "insufficient_system_resource"})
"""Finish reasons with which a server reports its own failure."""
_OWN_HOSTS: Final = (".openai.com", ".openai.azure.com", ".services.ai.azure.com")
_NO_KEY: Final = "none"
_CHECK_TIMEOUT_S: Final = 10.0


class OpenAIProvider:
    """The ``openai`` provider. Timeouts in seconds; ``read_timeout`` is the longest silence inside a stream.

    Without a key a placeholder is sent, which local servers ignore.
    """

    name = "openai"

    def __init__(
        self,
        *,
        api_key: str | None,
        base_url: str | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 120.0,
        policy: RetryPolicy | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._endpoint = faults.Endpoint(
            name="OpenAI-compatible server" if base_url else "OpenAI",
            key_variable="OPENAI_API_KEY",
            base_url_variable="OPENAI_BASE_URL",
            base_url=base_url,
            secret=api_key,
        )
        self._endpoint.require_usable_url()
        self._endpoint.require_usable_key("OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
        self._endpoint.require_usable_certificates()
        self._endpoint.require_usable_proxies()
        self._client = openai.AsyncOpenAI(
            api_key=api_key or _NO_KEY,
            base_url=base_url,
            # retry.py retries
            max_retries=0,
            timeout=httpx2.Timeout(
                connect=connect_timeout, read=read_timeout, write=read_timeout, pool=connect_timeout
            ),
        )
        host = urlsplit(base_url).hostname if base_url else None
        # OpenAI's newer models reject the old name of the limit; older compatible servers know only that one.
        own = host is None or host.endswith(_OWN_HOSTS)
        self._limit_name = "max_completion_tokens" if own else "max_tokens"
        self._policy = policy or RetryPolicy()
        self._timing = timing or Timing()

    async def complete(self, request: LLMRequest, on_progress: OnProgress | None = None) -> LLMReply:
        """Stream one reply to its end. Raises TransientLLMError (after the retries) or PermanentLLMError."""

        async def send(attempt: Attempt) -> LLMReply:
            return await self._send(request, attempt)

        return await complete_with_retries(send, request, on_progress, self._policy, self._timing)

    async def check(self) -> ProviderHealth:
        """Request the list of models: costs nothing, and checks the key where one is required."""
        return await faults.health(self._endpoint, self.name, self._list_models(), "responds")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _list_models(self) -> None:
        async with self._errors_of(None, None):
            await self._client.models.list(timeout=_CHECK_TIMEOUT_S)

    async def _send(self, request: LLMRequest, attempt: Attempt) -> LLMReply:
        reading = _Reading(attempt)
        request_id = None
        async with self._errors_of(request, reading):
            stream = await self._open(request)
            async with stream:
                request_id = stream.response.headers.get("x-request-id")
                whole = await faults.body_instead_of_stream(self._endpoint, stream.response)
                if whole is None:
                    async for chunk in stream:
                        reading.take(chunk)
                else:
                    reading.take_whole(whole)
        if reading.failure is not None:
            raise refusals.refused(self._endpoint, refusals.inside_reply(reading.failure, request))
        if not reading.complete:
            raise faults.stream_cut(self._endpoint) if whole is None else faults.not_a_reply(self._endpoint, whole)
        return reading.reply(request.model, request_id)

    async def _open(self, request: LLMRequest) -> openai.AsyncStream[object]:
        """Send the request; under the other name of the output limit, once, if the server demands that name."""
        name = self._limit_name
        try:
            return await self._post(request)
        except openai.APIStatusError as error:
            if not refusals.wants_other_limit_name(error.status_code, refusals.body_message(error.body), name):
                raise
        # kept for the later calls
        self._limit_name = next(one for one in refusals.LIMIT_NAMES if one != name)
        return await self._post(request)

    async def _post(self, request: LLMRequest) -> openai.AsyncStream[object]:
        # The plain JSON of each chunk: the SDK's typed chunks fail on the shapes that compatible servers send.
        return await self._client.post(
            "/chat/completions",
            body={**self._body(request), "stream": True},
            cast_to=object,
            stream=True,
            stream_cls=openai.AsyncStream[object],
        )

    def _body(self, request: LLMRequest) -> dict[str, Any]:
        return {
            "model": request.model,
            self._limit_name: request.max_output_tokens,
            "messages": [
                {"role": "system", "content": request.system},
                # One string: not every server accepts a list of parts. Prefix caches work on the text itself.
                {"role": "user", "content": "\n\n".join(part for part in (request.prefix, request.task) if part)},
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": request.schema_name, "strict": True, "schema": dict(request.schema)},
            },
            "stream_options": {"include_usage": True},
        }

    @asynccontextmanager
    async def _errors_of(self, request: LLMRequest | None, reading: _Reading | None) -> AsyncIterator[None]:
        try:
            yield
        except openai.APIStatusError as error:
            raise refusals.refused(self._endpoint, _refusal(error, error.status_code, request)) from None
        except (openai.APIConnectionError, httpx2.HTTPError, httpx2.InvalidURL) as error:
            if reading is not None and reading.complete:
                # The reply is complete; only the token counts, or the end of the connection, did not arrive.
                return
            streaming = reading is not None and reading.began
            raise faults.broken(self._endpoint, error, streaming=streaming) from error
        except openai.APIResponseValidationError as error:
            raise faults.stream_corrupt(self._endpoint) from error
        except openai.APIError as error:
            # an error object inside a stream that started with status 200
            raise refusals.refused(self._endpoint, refusals.inside_reply(error.body, request)) from None
        except faults.UNREADABLE as error:
            # Not JSON, or not UTF-8: the SDK does not convert these errors.
            raise faults.stream_corrupt(self._endpoint) from error


class _Reading:
    """Accumulates the chunks of one stream."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._refusals: list[str] = []
        self._finish: str | None = None
        self._model = ""
        self._id: str | None = None
        self.failure: object = None
        """An error inside the reply: an object or a message; None if there was none."""
        self.began = False

    @property
    def complete(self) -> bool:
        """Whether the server has sent a finish reason; without one the reply is incomplete."""
        return self._finish is not None

    def take(self, chunk: object) -> None:
        """Add one chunk. Fields are read leniently: compatible servers omit some."""
        self.began = True
        self._model = shapes.text(chunk, "model") or self._model
        self._id = shapes.text(chunk, "id") or self._id
        if shapes.text(chunk, "object") == "error":
            self.failure = chunk
        for choice in shapes.entries(chunk, "choices"):
            self._choice(choice)
        usage = shapes.field(chunk, "usage")
        if usage is not None:
            self._attempt.counted(_usage(usage), final=True)

    def take_whole(self, body: Mapping[str, Any]) -> None:
        """Read a reply that came as one JSON object instead of a stream."""
        self.failure = body.get("error")
        if self.failure is None and (shapes.entries(body, "choices") or body.get("object") == "error"):
            self.take(body)
            if self._texts or self._thoughts or self._refusals:
                self._finish = self._finish or "stop"

    def reply(self, asked: str, request_id: str | None) -> LLMReply:
        """The complete reply."""
        finish = self._finish or ""
        stop = _STOP_REASONS.get(finish.lower(), StopReason.OTHER)
        text, details = text_of(self._texts), []
        if stop is StopReason.OTHER:
            details.append(f"finish reason: {finish}")
        if stop is StopReason.END and not text.strip() and not self._refusals and self._thoughts:
            text = text_of(self._thoughts)
            details.append(TEXT_IN_REASONING)
        if not self._attempt.usage_stated:
            details.append(USAGE_ESTIMATED)
        if self._refusals:
            stop, details = StopReason.REFUSAL, [text_of(self._refusals)]
        elif stop is StopReason.REFUSAL:
            details = ["stopped by the provider's content filter"]
        return LLMReply(
            text=text,
            stop_reason=stop,
            usage=self._attempt.billed(),
            model=self._model or asked,
            request_id=request_id or self._id,
            detail="; ".join(details) or None,
        )

    def _choice(self, choice: object) -> None:
        message = shapes.field(choice, "delta")
        if message is None and not self._texts:
            # The message as a whole, as in a reply without a stream.
            message = shapes.field(choice, "message")
        said = shapes.spoken(shapes.field(message, "content"))
        # Not part of the protocol; servers of reasoning models send their thinking in it.
        thoughts = said.thoughts + shapes.thoughts(message)
        refusal = said.refusal + shapes.text(message, "refusal")
        for collected, words in ((self._texts, said.text), (self._thoughts, thoughts), (self._refusals, refusal)):
            if words:
                collected.append(words)
        self._attempt.streamed(said.text + thoughts + refusal)
        self._finish = shapes.text(choice, "finish_reason") or self._finish
        error = shapes.field(choice, "error")
        if error or (self._finish or "").lower() in _FAILURES:
            self.failure = self.failure or error or f"finish reason: {self._finish}"


def _usage(counts: object) -> Usage:
    read = shapes.tokens(counts, "prompt_tokens_details", "cached_tokens")
    written = shapes.tokens(counts, "prompt_tokens_details", "cache_write_tokens")
    prompt = shapes.tokens(counts, "prompt_tokens")
    output = shapes.tokens(counts, "completion_tokens")
    reasoning = shapes.tokens(counts, "completion_tokens_details", "reasoning_tokens") or shapes.tokens(
        counts, "reasoning_tokens"
    )
    apart = max(0, shapes.tokens(counts, "total_tokens") - prompt - output) if prompt else 0
    # Some servers count reasoning beside the completion, which the total shows; OpenAI counts it within.
    if reasoning > output or (apart and apart == reasoning):
        output += reasoning
    elif apart and not reasoning and apart != read + written:
        output += apart
    return Usage(
        # The total includes cached tokens; inconsistent figures of a server must not lead to a negative count.
        input_tokens=max(0, prompt - read - written),
        output_tokens=output,
        cache_read_tokens=read,
        cache_write_tokens=written,
    )


def _refusal(error: openai.APIStatusError, status: int, request: LLMRequest | None) -> refusals.Refusal:
    return refusals.Refusal(
        status=status,
        type=error.type,
        code=error.code,
        message=refusals.body_message(error.body) or error.message,
        headers=error.response.headers,
        request_id=error.response.headers.get("x-request-id"),
        model=request.model if request else "",
        max_output_tokens=request.max_output_tokens if request else None,
    )
