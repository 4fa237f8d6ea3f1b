"""OpenAI and every server that supports its chat completions API, through OpenAI's SDK.

Imported when the provider is first used, since the SDK takes a second to load. Compatible servers (Ollama, vLLM,
LM Studio, llama.cpp, gateways) omit fields: a missing or null usage is estimated and marked as such.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import openai

from combine.llm import faults, refusals
from combine.llm.protocol import LLMReply, LLMRequest, OnProgress, ProviderHealth, StopReason, text_of
from combine.llm.retry import USAGE_ESTIMATED, Attempt, RetryPolicy, Timing, complete_with_retries
from combine.records import Usage

_STOP_REASONS: Final[Mapping[str, StopReason]] = {
    "stop": StopReason.END,
    "length": StopReason.MAX_TOKENS,
    "content_filter": StopReason.REFUSAL,
}
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
        self._endpoint.require_usable_certificates()
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
        async with self._errors_of("", None):
            await self._client.models.list(timeout=_CHECK_TIMEOUT_S)

    async def _send(self, request: LLMRequest, attempt: Attempt) -> LLMReply:
        reading = _Reading(attempt)
        async with self._errors_of(request.model, reading):
            stream = await self._client.chat.completions.create(**self._body(request), stream=True)
            async with stream:
                headers = stream.response.headers
                faults.require_stream(self._endpoint, headers.get("content-type", ""))
                request_id = headers.get("x-request-id")
                async for chunk in stream:
                    reading.take(chunk)
        if not reading.complete:
            raise faults.stream_cut(self._endpoint)
        return reading.reply(request.model, request_id)

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
    async def _errors_of(self, model: str, reading: _Reading | None) -> AsyncIterator[None]:
        try:
            yield
        except openai.APIStatusError as error:
            raise refusals.refused(self._endpoint, _refusal(error, error.status_code, model)) from None
        except (openai.APIConnectionError, httpx2.TransportError, httpx2.InvalidURL) as error:
            if reading is not None and reading.complete:
                # The reply is complete; only the token counts, or the end of the connection, did not arrive.
                return
            streaming = reading is not None and reading.began
            raise faults.broken(self._endpoint, error, streaming=streaming) from error
        except openai.APIResponseValidationError as error:
            raise faults.stream_corrupt(self._endpoint) from error
        except openai.APIError as error:
            # an error object inside a stream that started with status 200
            status = refusals.stream_status(error.code, error.type)
            raise refusals.refused(self._endpoint, _refusal(error, status, model)) from None
        except ValueError as error:
            # Not JSON, or not UTF-8: the SDK does not convert these errors.
            raise faults.stream_corrupt(self._endpoint) from error


class _Reading:
    """Accumulates the chunks of one stream."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._finish: str | None = None
        self._model = ""
        self._id: str | None = None
        self.began = False

    @property
    def complete(self) -> bool:
        """Whether the server has sent a finish reason; without one the reply is incomplete."""
        return self._finish is not None

    def take(self, chunk: Any) -> None:
        """Add one chunk. Fields are read leniently: compatible servers omit some."""
        self.began = True
        self._model = getattr(chunk, "model", None) or self._model
        self._id = getattr(chunk, "id", None) or self._id
        for choice in getattr(chunk, "choices", None) or ():
            delta = getattr(choice, "delta", None)
            content = getattr(delta, "content", None) or ""
            refusal = getattr(delta, "refusal", None) or ""
            if content:
                self._texts.append(content)
            if refusal:
                self._refusals.append(refusal)
            # Not part of the protocol; servers of reasoning models send their thinking in it.
            self._attempt.streamed(content or refusal or getattr(delta, "reasoning_content", None) or "")
            self._finish = getattr(choice, "finish_reason", None) or self._finish
        usage = getattr(chunk, "usage", None)
        if usage is not None:
            self._attempt.counted(_usage(usage), final=True)

    def reply(self, asked: str, request_id: str | None) -> LLMReply:
        """The complete reply."""
        stop = _STOP_REASONS.get(self._finish or "", StopReason.OTHER)
        detail = f"finish reason: {self._finish}" if stop is StopReason.OTHER else None
        if self._refusals:
            stop, detail = StopReason.REFUSAL, "".join(self._refusals)
        elif stop is StopReason.REFUSAL:
            detail = "stopped by the provider's content filter"
        if detail is None and not self._attempt.usage_stated:
            detail = USAGE_ESTIMATED
        return LLMReply(
            text=text_of(self._texts),
            stop_reason=stop,
            usage=self._attempt.billed(),
            model=self._model or asked,
            request_id=request_id or self._id,
            detail=detail,
        )


def _usage(counts: Any) -> Usage:
    details = getattr(counts, "prompt_tokens_details", None)
    read = getattr(details, "cached_tokens", None) or 0
    written = getattr(details, "cache_write_tokens", None) or 0
    total = getattr(counts, "prompt_tokens", None) or 0
    return Usage(
        # The total includes cached tokens; inconsistent figures of a server must not lead to a negative count.
        input_tokens=max(0, total - read - written),
        output_tokens=getattr(counts, "completion_tokens", None) or 0,
        cache_read_tokens=read,
        cache_write_tokens=written,
    )


def _refusal(error: openai.APIError, status: int, model: str) -> refusals.Refusal:
    response = error.response if isinstance(error, openai.APIStatusError) else None
    return refusals.Refusal(
        status=status,
        type=error.type,
        code=error.code,
        message=refusals.body_message(error.body) or error.message,
        headers=response.headers if response is not None else None,
        request_id=response.headers.get("x-request-id") if response is not None else None,
        model=model,
    )
