"""A language model provider on loopback: real HTTP, Anthropic's and OpenAI's streams, scripted replies, faults.

    with FakeLLM({"project-discovery": [{"questions": [], "document": {...}}]}) as fake:   # or `async with`
        run(env=fake.env())                    # or fake.anthropic_url, fake.openai_url
        assert "the brief's words" in fake.requests[0].prompt

A script says what to answer: a function of the ``Received`` request, a list, or a mapping of document type (read from
``<output type="...">`` in the prompt, else the schema's name; "*" for any) to a list; the last of a list repeats.
Elements are a ``Reply``, an ``Error``, a ``Broken`` stream, raw ``Chunks``, a ``Whole`` body without a stream, a text,
or a dict to be sent as JSON. Without a script the
answer is the smallest JSON that fits the requested schema. ``fake.inject(...)`` puts faults before the script.

Like the real ones it refuses sampling parameters, prefill and schemas beyond the structured-output limits
(``fake_llm_rules.py``). The cache works: a prefix seen before, with the same model and schema, is read, not written.
The server runs in a thread of its own, so blocking code, event loops and subprocesses can all use it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import fake_llm_rules as rules
import fake_llm_wire as wire
from fake_llm_wire import Broken, Chunks, Error, Given, Reply, Whole

__all__ = ["Broken", "Chunks", "Error", "FakeLLM", "Received", "Reply", "Whole"]

_TLS_HANDSHAKE = b"\x16"

Outcome = Given | str | Mapping[str, Any]
Script = Callable[["Received"], Outcome] | Sequence[Outcome] | Mapping[str, Any] | None


@dataclass(slots=True)
class Received:
    """One POST as it arrived."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    at: float
    """time.monotonic()"""
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when the client left before the answer was complete."""
    done: threading.Event = field(default_factory=threading.Event)
    """Set when the fake has finished with it, one way or the other."""

    @property
    def protocol(self) -> str:
        return "openai" if self.path.endswith("/chat/completions") else "anthropic"

    @property
    def system(self) -> str:
        if self.protocol == "anthropic":
            return wire.text_of(self.body.get("system", ""))
        return "\n".join(wire.text_of(m["content"]) for m in self.body["messages"] if m["role"] == "system")

    @property
    def user(self) -> str:
        return "\n".join(wire.text_of(m["content"]) for m in self.body["messages"] if m["role"] == "user")

    @property
    def prompt(self) -> str:
        return f"{self.system}\n{self.user}"

    @property
    def schema(self) -> dict[str, Any] | None:
        return wire.schema_of(self.body)

    @property
    def document_type(self) -> str:
        found = re.search(r'<output type="([^"]+)"', self.user)
        return found[1] if found else wire.schema_name_of(self.body)


class FakeLLM:
    def __init__(
        self,
        script: Script = None,
        *,
        faults: Sequence[Outcome] = (),
        api_key: str | None = None,
        models: Sequence[str] | None = None,
    ) -> None:
        """``api_key`` and ``models``: what is accepted; None accepts everything."""
        self.script = script
        self.api_key = api_key
        self.models = models
        self.requests: list[Received] = []
        self.lists_of_models = 0
        self._faults: deque[Outcome] = deque(faults)
        self._positions: dict[str, int] = {}
        self._cache = wire.Cache()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._port = 0

    def start(self) -> str:
        """Start the thread; returns the root URL."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="fake-llm", daemon=True)
        self._thread.start()
        assert self._ready.wait(10), "the fake provider did not start"
        return self.url

    def stop(self) -> None:
        if self._thread is not None and self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    def inject(self, *outcomes: Outcome, times: int = 1) -> None:
        """Answer the next requests with these, before the script."""
        self._faults.extend(list(outcomes) * times)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def anthropic_url(self) -> str:
        return self.url

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    def env(self) -> dict[str, str]:
        """This process's environment, with both SDKs pointed here."""
        key = self.api_key or "test-key"
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC_", "OPENAI_"))},
            "ANTHROPIC_BASE_URL": self.anthropic_url,
            "ANTHROPIC_API_KEY": key,
            "OPENAI_BASE_URL": self.openai_url,
            "OPENAI_API_KEY": key,
        }

    def of_type(self, document_type: str) -> list[Received]:
        return [one for one in self.requests if one.document_type == document_type]

    # -- the server ---------------------------------------------------------

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        connections: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            try:
                early: bytes | None = b""
                while early is not None:
                    early = await self._exchange(reader, writer, early)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                connections.discard(task)
                writer.transport.abort()

        server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=16 * 1024 * 1024)
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, early: bytes) -> bytes | None:
        """One request and its answer. Takes and returns bytes that came early; None ends the connection."""
        early = early or await reader.readexactly(1)
        if early == _TLS_HANDSHAKE:
            # As plain HTTP servers do when somebody speaks TLS to them.
            await wire.Out(writer).error("openai", Error(400, body="plain HTTP is expected here"))
            return None
        head = (early + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        path = path.partition("?")[0]
        out = wire.Out(writer)
        if method == "GET":
            await self._models(out, path, headers)
            return b""
        received = Received(path=path, headers=headers, body=json.loads(raw), at=time.monotonic())
        self.requests.append(received)
        answer = asyncio.create_task(self._answer(out, received))
        # Reading on tells at once when the client leaves.
        leaving = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait({answer, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done() and leaving.result() == b"":
                received.gone.set()
                return None
            alive = await answer
            return (leaving.result() if leaving.done() else b"") if alive else None
        finally:
            answer.cancel()
            leaving.cancel()
            await asyncio.gather(answer, leaving, return_exceptions=True)
            received.done.set()

    async def _models(self, out: wire.Out, path: str, headers: Mapping[str, str]) -> None:
        self.lists_of_models += 1
        protocol = "anthropic" if "anthropic-version" in headers else "openai"
        refusal = self._refused(protocol, headers)
        if path != "/v1/models":
            refusal = Error(404, body="no such page")
        if refusal is not None:
            await out.error(protocol, refusal)
            return
        names = self.models or ["claude-sonnet-5-5"]
        listed = [{"id": n, "type": "model", "object": "model", "display_name": n, "created": 0} for n in names]
        await out.json(200, {"data": listed, "object": "list", "has_more": False, "first_id": None, "last_id": None})

    def _refused(self, protocol: str, headers: Mapping[str, str]) -> Error | None:
        given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if self.api_key is not None and given != self.api_key:
            # Some providers repeat the key in the message; so does this one, to show that it goes no further.
            kind = "authentication_error" if protocol == "anthropic" else "invalid_request_error"
            return Error(401, kind, f"Incorrect API key provided: {given}", code="invalid_api_key")
        return None

    async def _answer(self, out: wire.Out, received: Received) -> bool:
        protocol, body = received.protocol, received.body
        refusal = self._refused(protocol, received.headers) or rules.refusal(protocol, body)
        if refusal is None and self.models is not None and body["model"] not in self.models:
            refusal = Error(404, "not_found_error", f"model: {body['model']}", code="model_not_found")
        if refusal is not None:
            return await out.error(protocol, refusal)
        outcome = self._next(received)
        if isinstance(outcome, Error):
            return await out.error(protocol, outcome)
        if isinstance(outcome, Chunks):
            return await out.chunks(outcome, protocol)
        if isinstance(outcome, Whole):
            return await out.whole(outcome)
        reply = outcome.reply if isinstance(outcome, Broken) else outcome
        if reply.delay_s:
            await asyncio.sleep(reply.delay_s)
        text = reply.text if reply.text is not None else json.dumps(rules.smallest(received.schema))
        usage = self._cache.count(protocol, body, received.prompt, text)
        stream = wire.events(protocol, body, reply, text, usage)
        return await out.stream(stream, reply, outcome if isinstance(outcome, Broken) else None, protocol)

    def _next(self, received: Received) -> Given:
        if self._faults:
            return wire.outcome(self._faults.popleft())
        script = self.script
        if script is None:
            return Reply()
        if callable(script):
            return wire.outcome(script(received))
        group = ""
        if isinstance(script, Mapping):
            group = received.document_type
            script = script.get(group, script.get("*", Error(500, "api_error", f"no reply for {group!r} is scripted")))
            if not isinstance(script, list | tuple):
                script = [script]
        position = self._positions.get(group, 0)
        self._positions[group] = position + 1
        return wire.outcome(script[min(position, len(script) - 1)])
