"""Claude through Anthropic's SDK. Imported when the provider is first used: the SDK takes seconds to load."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import anthropic
import httpx2

from combine.errors import PermanentLLMError
from combine.llm import faults, refusals, shapes
from combine.llm.protocol import LLMReply, LLMRequest, OnProgress, ProviderHealth, StopReason, text_of
from combine.llm.retry import TEXT_IN_REASONING, USAGE_ESTIMATED, Attempt, RetryPolicy, Timing, complete_with_retries
from combine.records import Usage

_STOP_REASONS: Final[Mapping[str, StopReason]] = {
    "end_turn": StopReason.END,
    "stop_sequence": StopReason.END,
    "max_tokens": StopReason.MAX_TOKENS,
    "refusal": StopReason.REFUSAL,
    "model_context_window_exceeded": StopReason.CONTEXT_EXCEEDED,
}
_SPOKEN: Final = frozenset({"text", "text_delta", "thinking", "thinking_delta"})
_CHECK_TIMEOUT_S: Final = 10.0


class AnthropicProvider:
    """The ``anthropic`` provider. Timeouts in seconds; ``read_timeout`` is the longest silence inside a stream."""

    name = "anthropic"

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 120.0,
        enable_caching: bool = True,
        policy: RetryPolicy | None = None,
        timing: Timing | None = None,
    ) -> None:
        # Users may paste the address including the version path, which the SDK adds itself.
        base_url = base_url.rstrip("/").removesuffix("/v1") if base_url else None
        self._endpoint = faults.Endpoint(
            name="Anthropic",
            key_variable="ANTHROPIC_API_KEY",
            base_url_variable="ANTHROPIC_BASE_URL",
            base_url=base_url,
            secret=api_key,
        )
        self._endpoint.require_usable_url()
        self._endpoint.require_usable_key()
        self._endpoint.require_usable_certificates()
        self._endpoint.require_usable_proxies()
        self._client = anthropic.AsyncAnthropic(
            api_key=api_key,
            base_url=base_url,
            # retry.py retries
            max_retries=0,
            timeout=httpx2.Timeout(
                connect=connect_timeout, read=read_timeout, write=read_timeout, pool=connect_timeout
            ),
        )
        self._enable_caching = enable_caching
        self._policy = policy or RetryPolicy()
        self._timing = timing or Timing()

    async def complete(self, request: LLMRequest, on_progress: OnProgress | None = None) -> LLMReply:
        """Stream one reply to its end. Raises TransientLLMError (after the retries) or PermanentLLMError."""

        async def send(attempt: Attempt) -> LLMReply:
            return await self._send(request, attempt)

        return await complete_with_retries(send, request, on_progress, self._policy, self._timing)

    async def check(self) -> ProviderHealth:
        """Request the list of models: costs nothing and checks the key."""
        return await faults.health(self._endpoint, self.name, self._list_models(), "responds and accepts the key")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _list_models(self) -> None:
        async with self._errors_of(None, None):
            await self._client.models.list(limit=1, timeout=_CHECK_TIMEOUT_S)

    async def _send(self, request: LLMRequest, attempt: Attempt) -> LLMReply:
        reading = _Reading(attempt)
        async with self._errors_of(request, reading):
            # The plain JSON of each event: the SDK's typed events fail on the shapes that gateways send.
            stream = await self._client.post(
                "/v1/messages",
                body={**self._body(request), "stream": True},
                cast_to=object,
                stream=True,
                stream_cls=anthropic.AsyncStream[object],
            )
            async with stream:
                request_id = stream.response.headers.get("request-id")
                whole = await faults.body_instead_of_stream(self._endpoint, stream.response)
                if whole is None:
                    async for event in stream:
                        reading.take(event)
                        if reading.complete:
                            break
                else:
                    reading.take_whole(whole)
        if reading.failure is not None:
            raise refusals.refused(self._endpoint, refusals.inside_reply(reading.failure, request))
        if not reading.complete:
            raise faults.stream_cut(self._endpoint) if whole is None else faults.not_a_reply(self._endpoint, whole)
        return reading.reply(request.model, request_id)

    def _body(self, request: LLMRequest) -> dict[str, Any]:
        prefix: dict[str, Any] = {"type": "text", "text": request.prefix}
        if request.cache and self._enable_caching:
            prefix["cache_control"] = {"type": "ephemeral"}
        blocks = [block for block in (prefix, {"type": "text", "text": request.task}) if block["text"]]
        return {
            "model": request.model,
            "max_tokens": request.max_output_tokens,
            "system": [{"type": "text", "text": request.system}] if request.system else [],
            "messages": [{"role": "user", "content": blocks}],
            "output_config": {"format": {"type": "json_schema", "schema": _schema(request)}},
        }

    @asynccontextmanager
    async def _errors_of(self, request: LLMRequest | None, reading: _Reading | None) -> AsyncIterator[None]:
        try:
            yield
        except anthropic.APIStatusError as error:
            raise refusals.refused(self._endpoint, _refusal(error, request)) from None
        except (anthropic.APIConnectionError, httpx2.HTTPError, httpx2.InvalidURL) as error:
            streaming = reading is not None and reading.began
            raise faults.broken(self._endpoint, error, streaming=streaming) from error
        except (anthropic.AnthropicError, *faults.UNREADABLE) as error:
            # Not JSON, or not UTF-8: the SDK does not convert these errors.
            raise faults.stream_corrupt(self._endpoint) from error


class _Reading:
    """Accumulates the events of one stream."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._usage = Usage()
        self._stop: str | None = None
        self._detail = ""
        self._model = ""
        self.failure: object = None
        """An error inside the reply: an object or a message; None if there was none."""
        self.began = False
        self.complete = False

    def take(self, event: object) -> None:
        """Add one raw event. Fields are read leniently: gateways leave some out."""
        self.began = True
        match shapes.text(event, "type"):
            case "message_start":
                self._model = shapes.text(event, "message", "model")
                self._count(shapes.field(event, "message", "usage"), final=False)
            case "content_block_start":
                self._add(shapes.field(event, "content_block"))
            case "content_block_delta":
                self._add(shapes.field(event, "delta"))
            case "message_delta":
                self._stopped(shapes.field(event, "delta"))
                self._count(shapes.field(event, "usage"), final=True)
            case "message_stop":
                self.complete = True
            case "error":
                self.failure = shapes.field(event, "error") or event

    def take_whole(self, body: Mapping[str, Any]) -> None:
        """Read a reply that came as one JSON object instead of a stream."""
        self.failure = body.get("error")
        if self.failure is None and isinstance(body.get("content"), str | list):
            self.began = True
            self._model = shapes.text(body, "model")
            content = body["content"]
            for block in content if isinstance(content, list) else [content]:
                self._add(block)
            self._stopped({"stop_reason": "end_turn", **body})
            self._count(body.get("usage"), final=True)
            self.complete = True

    def reply(self, asked: str, request_id: str | None) -> LLMReply:
        """The complete reply."""
        stop = _STOP_REASONS.get(self._stop or "", StopReason.OTHER)
        text, details = text_of(self._texts), []
        if self._detail or stop is StopReason.OTHER:
            details.append(self._detail or f"stop reason: {self._stop}")
        if stop is StopReason.END and not text.strip() and self._thoughts:
            text = text_of(self._thoughts)
            details.append(TEXT_IN_REASONING)
        if not self._attempt.usage_stated and stop is not StopReason.REFUSAL:
            details.append(USAGE_ESTIMATED)
        return LLMReply(
            text=text,
            stop_reason=stop,
            usage=self._attempt.billed(),
            model=self._model or asked,
            request_id=request_id,
            detail="; ".join(details) or None,
        )

    def _stopped(self, delta: object) -> None:
        self._stop = shapes.text(delta, "stop_reason") or self._stop
        self._detail = shapes.text(delta, "stop_details", "explanation")
        if self._stop == "error":
            self.failure = shapes.field(delta, "error") or f"stop reason: {self._stop}"

    def _add(self, part: object) -> None:
        # Thinking and tool blocks may precede the text, so select by type, not by position.
        said = shapes.spoken(part) if isinstance(part, str) or shapes.text(part, "type") in _SPOKEN else shapes.Spoken()
        if said.text:
            self._texts.append(said.text)
        if said.thoughts:
            self._thoughts.append(said.thoughts)
        self._attempt.streamed(said.text + said.thoughts)

    def _count(self, usage: object, *, final: bool) -> None:
        """Counts in a stream are cumulative, and a later event may omit unchanged ones."""
        if usage is None:
            return
        output = shapes.tokens(usage, "output_tokens")
        self._usage = Usage(
            input_tokens=shapes.tokens(usage, "input_tokens") or self._usage.input_tokens,
            output_tokens=output or self._usage.output_tokens,
            cache_read_tokens=shapes.tokens(usage, "cache_read_input_tokens") or self._usage.cache_read_tokens,
            cache_write_tokens=shapes.tokens(usage, "cache_creation_input_tokens") or self._usage.cache_write_tokens,
        )
        self._attempt.counted(self._usage, final=final and output > 0)


def _schema(request: LLMRequest) -> dict[str, Any]:
    try:
        return anthropic.transform_schema(dict(request.schema))
    except (ValueError, AssertionError) as error:
        raise PermanentLLMError(
            f"The JSON Schema {request.schema_name!r} cannot be sent to Anthropic: {error}",
            code="schema_rejected",
            hint="Each part of the schema must have a single type; write alternatives as anyOf.",
        ) from error


def _refusal(error: anthropic.APIStatusError, request: LLMRequest | None) -> refusals.Refusal:
    status = error.status_code
    return refusals.Refusal(
        # an error event inside a stream that started with status 200
        status=status if status >= 400 else refusals.stream_status(error.type),  # noqa: PLR2004
        type=error.type,
        code=error.error_code,
        message=error.api_message or refusals.body_message(error.body),
        headers=error.response.headers,
        request_id=error.request_id,
        model=request.model if request else "",
        max_output_tokens=request.max_output_tokens if request else None,
    )
