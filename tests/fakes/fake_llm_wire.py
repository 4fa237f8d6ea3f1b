"""How the fake provider speaks: replies, faults, token counts, and the two streaming protocols."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Event = tuple[str | None, Any]
"""Name (None: unnamed) and data."""


@dataclass(frozen=True, slots=True)
class Reply:
    text: str | None = None
    """None: the smallest JSON for the requested schema."""
    stop: str = "end"
    """end, max_tokens, refusal, context_exceeded, or a word of the protocol."""
    thinking: str | None = None
    """A thinking block (or ``reasoning_content``) before the text."""
    pieces: int = 4
    delay_s: float = 0.0
    """Before the first byte."""
    piece_delay_s: float = 0.0
    usage: Any = "stated"
    """stated, null or omitted; the latter two as some compatible servers do. Anything else is sent as it is."""
    detail: str | None = None
    """What the provider says about a refusal."""
    pings: bool = True
    """Keep-alives between the events, as the real ones send."""


@dataclass(frozen=True, slots=True)
class Error:
    """An HTTP error instead of a stream."""

    status: int
    type: str = "api_error"
    message: str = "something failed"
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str | None = None
    body: str | None = None
    """Sent as it is, instead of the protocol's error object."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A stream that goes wrong after ``after`` events."""

    kind: str
    """cut, stall, no_stop, corrupt, invalid_utf8, error_event, page (HTML with status 200) or silence (no answer)."""
    after: int = 3
    reply: Reply = field(default_factory=Reply)
    error: Error = field(default_factory=lambda: Error(529, "overloaded_error", "Overloaded"))
    """Of ``error_event``."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """A stream of these data objects, as they are; OpenAI's end mark follows."""

    data: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Whole:
    """A body with status 200 instead of a stream: JSON, or a text as it is."""

    body: Any
    kind: str = "application/json"


@dataclass(frozen=True, slots=True)
class Counts:
    input: int
    output: int
    read: int = 0
    written: int = 0


Given = Reply | Error | Broken | Chunks | Whole


def outcome(given: Any) -> Given:
    if isinstance(given, Given):
        return given
    return Reply(text=given if isinstance(given, str) else json.dumps(given, ensure_ascii=False))


def text_of(content: Any) -> str:
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def schema_of(body: Mapping[str, Any]) -> dict[str, Any] | None:
    if "response_format" in body:
        return body["response_format"].get("json_schema", {}).get("schema")
    return body.get("output_config", {}).get("format", {}).get("schema")


def schema_name_of(body: Mapping[str, Any]) -> str:
    return body.get("response_format", {}).get("json_schema", {}).get("name", "")


class Cache:
    """Four characters are a token."""

    def __init__(self) -> None:
        self._marked: set[str] = set()
        self._seen: list[str] = []

    def count(self, protocol: str, body: Mapping[str, Any], prompt: str, text: str) -> Counts:
        output = max(1, len(text) // 4)
        total = len(prompt) // 4
        cached = self._anthropic(body) if protocol == "anthropic" else (self._openai(prompt), 0)
        return Counts(total - cached[0] - cached[1], output, *cached)

    def _anthropic(self, body: Mapping[str, Any]) -> tuple[int, int]:
        blocks = [*body.get("system", []), *body["messages"][0]["content"]]
        marks = [index for index, block in enumerate(blocks) if isinstance(block, dict) and "cache_control" in block]
        if not marks:
            return 0, 0
        prefix = blocks[: marks[-1] + 1]
        tokens = sum(len(block["text"]) for block in prefix) // 4
        key = json.dumps([body["model"], prefix, schema_of(body)], sort_keys=True)
        if key in self._marked:
            return tokens, 0
        self._marked.add(key)
        return 0, tokens

    def _openai(self, prompt: str) -> int:
        shared = max((_shared(prompt, one) for one in self._seen), default=0) // 4
        self._seen.append(prompt)
        return shared // 128 * 128 if shared >= 1024 else 0


def _shared(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))


# -- protocols ---------------------------------------------------------------

_ANTHROPIC_STOPS = {"end": "end_turn", "context_exceeded": "model_context_window_exceeded"}
_OPENAI_STOPS = {"end": "stop", "max_tokens": "length", "refusal": "content_filter"}


def events(protocol: str, body: Mapping[str, Any], reply: Reply, text: str, counts: Counts) -> Iterator[Event]:
    size = max(1, -(-len(text) // max(1, reply.pieces)))
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    made = _anthropic if protocol == "anthropic" else _openai
    return made(body, reply, pieces, counts)


def _anthropic(body: Mapping[str, Any], reply: Reply, pieces: list[str], counts: Counts) -> Iterator[Event]:
    def event(kind: str, **data: Any) -> Event:
        return kind, {"type": kind, **data}

    stated = {
        "input_tokens": counts.input,
        "cache_read_input_tokens": counts.read,
        "cache_creation_input_tokens": counts.written,
    }
    message: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"]}
    message |= {"content": [], "stop_reason": None, "usage": {**stated, "output_tokens": 1}}
    if reply.usage != "stated":
        message["usage"] = None if reply.usage in ("null", "omitted") else reply.usage
    yield event("message_start", message=message)
    if reply.pings:
        yield event("ping")
    index = 0
    if reply.thinking is not None:
        yield event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""})
        yield event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": reply.thinking})
        yield event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "c2ln"})
        yield event("content_block_stop", index=0)
        index = 1
    yield event("content_block_start", index=index, content_block={"type": "text", "text": ""})
    for piece in pieces:
        yield event("content_block_delta", index=index, delta={"type": "text_delta", "text": piece})
    yield event("content_block_stop", index=index)
    delta: dict[str, Any] = {"stop_reason": _ANTHROPIC_STOPS.get(reply.stop, reply.stop), "stop_sequence": None}
    if reply.detail is not None:
        delta["stop_details"] = {"type": "refusal", "category": "general_harms", "explanation": reply.detail}
    final = {"output_tokens": counts.output} if reply.usage == "stated" else message["usage"]
    yield event("message_delta", delta=delta, usage=final)
    yield event("message_stop")


def _openai(body: Mapping[str, Any], reply: Reply, pieces: list[str], counts: Counts) -> Iterator[Event]:
    base: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": body["model"]}

    def chunk(delta: dict[str, Any] | None, finish: str | None = None, usage: Any = None) -> Event:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
        data = {**base, "choices": choices}
        if reply.usage != "omitted":
            data["usage"] = usage
        return None, data

    yield chunk({"role": "assistant", "content": ""})
    if reply.thinking is not None:
        yield chunk({"reasoning_content": reply.thinking})
    for piece in pieces:
        yield chunk({"content": piece})
    if reply.stop == "refusal" and reply.detail is not None:
        yield chunk({"refusal": reply.detail})
        yield chunk({}, "stop")
    else:
        yield chunk({}, _OPENAI_STOPS.get(reply.stop, reply.stop))
    if reply.usage == "stated" and body.get("stream_options", {}).get("include_usage"):
        total = counts.input + counts.read + counts.written
        details = {"cached_tokens": counts.read}
        usage = {"prompt_tokens": total, "completion_tokens": counts.output, "total_tokens": total + counts.output}
        yield chunk(None, usage={**usage, "prompt_tokens_details": details})
    elif reply.usage not in ("stated", "null", "omitted"):
        yield chunk(None, usage=reply.usage)
    yield None, "[DONE]"


def error_object(protocol: str, error: Error) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": error.type, "message": error.message}
    if protocol == "openai":
        return {"error": {**inner, "code": error.code, "param": None}}
    if error.code is not None:
        inner["details"] = {"error_code": error.code}
    return {"type": "error", "error": inner, "request_id": "req_fake"}


# -- HTTP ----------------------------------------------------------------------


class Out:
    """Writes answers. Every method says whether the connection can be used again."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def json(self, status: int, data: Any, headers: Mapping[str, str] | None = None) -> bool:
        return await self._whole(status, "application/json", json.dumps(data).encode(), headers or {})

    async def error(self, protocol: str, error: Error) -> bool:
        headers = {**error.headers, "request-id": "req_fake", "x-request-id": "req_fake"}
        if error.body is not None:
            return await self._whole(error.status, "text/html", error.body.encode(), headers)
        return await self.json(error.status, error_object(protocol, error), headers)

    async def chunks(self, given: Chunks, protocol: str) -> bool:
        named = protocol == "anthropic"
        events = [(one["type"] if named else None, one) for one in given.data]
        return await self.stream(iter(events if named else [*events, (None, "[DONE]")]), Reply(), None, protocol)

    async def whole(self, given: Whole) -> bool:
        body = given.body if isinstance(given.body, str) else json.dumps(given.body)
        return await self._whole(200, given.kind, body.encode(), {})

    async def stream(self, events: Iterator[Event], reply: Reply, broken: Broken | None, protocol: str) -> bool:
        if broken is not None and broken.kind == "silence":
            await asyncio.Event().wait()
        if broken is not None and broken.kind == "page":
            return await self._whole(200, "text/html", b"<html>Please sign in</html>", {})
        self._head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked", "request-id": "req_fake"})
        for number, (name, data) in enumerate(events):
            if broken is not None and number == broken.after and not await self._break(broken, protocol):
                return False
            await self._chunk(_sse(name, data))
            if reply.piece_delay_s:
                await asyncio.sleep(reply.piece_delay_s)
            if broken is not None and broken.kind == "no_stop" and number == broken.after:
                break
        return await self._end()

    async def _break(self, broken: Broken, protocol: str) -> bool:
        """Whether the stream goes on."""
        match broken.kind:
            case "cut":
                self._writer.transport.abort()
                return False
            case "stall":
                await asyncio.Event().wait()
            case "corrupt":
                name = "content_block_delta" if protocol == "anthropic" else None
                await self._raw(_line(name) + b'data: {"type": "content_blo\n\n')
            case "invalid_utf8":
                name = "content_block_delta" if protocol == "anthropic" else None
                await self._raw(_line(name) + b'data: {"text": "\xff\xfe"}\n\n')
            case "error_event":
                name = "error" if protocol == "anthropic" else None
                await self._chunk(_sse(name, error_object(protocol, broken.error)))
        return True

    async def _whole(self, status: int, kind: str, body: bytes, headers: Mapping[str, str]) -> bool:
        self._head(status, {"content-type": kind, "content-length": str(len(body)), **headers})
        self._writer.write(body)
        await self._writer.drain()
        return True

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} x", *(f"{name}: {value}" for name, value in headers.items())]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def _chunk(self, data: bytes) -> None:
        await self._raw(data)

    async def _raw(self, data: bytes) -> None:
        self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self._writer.drain()

    async def _end(self) -> bool:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()
        return True


def _line(name: str | None) -> bytes:
    return f"event: {name}\n".encode() if name else b""


def _sse(name: str | None, data: Any) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return _line(name) + f"data: {text}\n\n".encode()
