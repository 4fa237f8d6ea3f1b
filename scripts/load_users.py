"""The users of the load test, for locust: readers, starters, answerers, watchers. ``load_test.py`` runs them.

Importing this module imports locust, which replaces the process's sockets and locks by those of gevent.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field
from itertools import count
from typing import Any, ClassVar, Final
from uuid import uuid4

import gevent
from load_streams import Cut, EventStream, Received
from locust import FastHttpUser, User, events
from locust.env import Environment
from locust.exception import StopUser

EXECUTION: Final = "/api/v1/executions/{id}"
READ_ROUTES: Final = (EXECUTION, EXECUTION, EXECUTION, "list", EXECUTION, "document", EXECUTION, EXECUTION, "costs")
"""Used in turn: two thirds of all reads are for one execution."""
_RECONNECT_AFTER: Final = 4
_COMPLETED_WITHIN_S: Final = 60.0
_NEWEST: Final = 4
_PAUSE_S: Final = 3.0


class Pace:
    """Times at a constant rate, each given to one user."""

    def __init__(self, per_second: float) -> None:
        self._period = 1 / per_second
        self._next = time.perf_counter() + self._period

    def turn(self) -> float:
        """The next time; it may be in the past."""
        due, self._next = self._next, self._next + self._period
        return due

    def wait(self) -> float:
        """Sleep until the next time, and return it."""
        due = self.turn()
        gevent.sleep(max(0.0, due - time.perf_counter()))
        return due


@dataclass
class Stage:
    """Shared by the users: what there is to read and to follow, and what the watchers have found."""

    url: str
    token: str
    reads: Pace
    starts: Pace
    answers: Pace
    hold_s: float
    brief: str
    brief_with_questions: str
    projects: list[str]
    """IDs, one for each user who starts executions."""
    completed: list[str]
    """Executions to read."""
    documents: list[str]
    held: list[str]
    """Executions that wait for answers until the end."""
    same_clock: bool
    followable: list[str] = field(default_factory=list)
    """The newest last."""
    latencies_ms: list[float] = field(default_factory=list)
    received: int = 0
    gaps: int = 0
    repeats: int = 0
    resumed: int = 0
    ended: int = 0
    open_streams: int = 0
    most_streams: int = 0
    closing: bool = False
    """Users do not begin anything new."""
    ids: count[int] = field(default_factory=count)


class LoadTest(Environment):  # type: ignore[misc] # locust is not installed where types are checked
    """locust's environment, with the stage."""

    def __init__(self, stage: Stage, users: dict[str, int]) -> None:
        classes: dict[str, Any] = {"readers": Reader, "starters": Starter, "answerers": Answerer, "watchers": Watcher}
        for name, number in users.items():
            classes[name].fixed_count = number
        super().__init__(
            user_classes=[classes[name] for name, number in users.items() if number],
            events=events,
            host=stage.url,
            stop_timeout=0,
        )
        self.stage = stage


class _Client(FastHttpUser):  # type: ignore[misc] # as above
    """A user with a token."""

    abstract = True
    insecure = False
    network_timeout = 30.0
    connection_timeout = 10.0

    def __init__(self, environment: LoadTest) -> None:
        self.stage = environment.stage
        self.default_headers = {"Authorization": f"Bearer {self.stage.token}", "Accept-Encoding": "gzip"}
        self.number = next(self.stage.ids)
        super().__init__(environment)

    def on_stop(self) -> None:
        """Close the connections."""
        self.client.client.close()

    def go_on(self) -> None:
        """Raise StopUser if the test is ending."""
        if self.stage.closing:
            raise StopUser

    def start_execution(self, project: str, brief: str, *, ask: bool, key: str) -> str | None:
        """Start an offline execution; returns its ID."""
        body = {"project_id": project, "brief": brief, "model": "offline", "ask": ask}
        headers = {"Idempotency-Key": key}
        with self.rest("POST", "/api/v1/executions", json=body, headers=headers) as answer:
            return str(answer.js["execution"]["id"]) if _is(answer, 201) else None

    def status(self, execution: str) -> str:
        """The status of the execution, or "" if it could not be read."""
        with self.rest("GET", f"/api/v1/executions/{execution}", name=EXECUTION) as answer:
            return str(answer.js["execution"]["status"]) if _is(answer, 200) else ""

    def reach(self, execution: str, status: str) -> bool:
        """Poll once a second until the execution has this status; otherwise records an error."""
        deadline = time.monotonic() + _COMPLETED_WITHIN_S
        while (found := self.status(execution)) != status:
            lost = not found and self.stage.closing
            if lost or time.monotonic() > deadline or found in {"failed", "cancelled", "waiting_for_decision"}:
                self.fail("execution", f"is {found or 'unreadable'}, not {status}")
                return False
            gevent.sleep(1)
        return True

    def fail(self, name: str, message: str) -> None:
        """Record an error that does not belong to a single request."""
        self.environment.stats.log_error("", name, message)


class Reader(_Client):
    """Reads at the common rate. Response times are measured from the moment a request was due."""

    def read(self) -> None:
        """One read, or a document and then its ETag."""
        self.go_on()
        number = next(self.stage.ids)
        due = self.stage.reads.wait()
        match READ_ROUTES[number % len(READ_ROUTES)]:
            case "list":
                self._get("/api/v1/executions?limit=20", "/api/v1/executions", due)
            case "document":
                document = self.stage.documents[number % len(self.stage.documents)]
                self._unchanged(f"/api/v1/documents/{document}", "/api/v1/documents/{id}", due)
            case "costs":
                self._get("/api/v1/costs?group_by=model", "/api/v1/costs", due)
            case name:
                self._get(f"/api/v1/executions/{self.stage.completed[number % len(self.stage.completed)]}", name, due)

    tasks: ClassVar[list[Any]] = [read]

    def _get(self, path: str, name: str, due: float, tag: str | None = None) -> str | None:
        headers = {} if tag is None else {"If-None-Match": tag}
        with self.client.get(path, name=name, headers=headers, catch_response=True) as answer:
            answer.request_meta["response_time"] = 1000 * (time.perf_counter() - due)
            if _is(answer, 200 if tag is None else 304):
                answer.success()
            return answer.headers.get("etag") if answer.headers else None

    def _unchanged(self, path: str, name: str, due: float) -> None:
        tag = self._get(path, name, due)
        if tag is not None:
            self._get(path, f"{name}, If-None-Match", time.perf_counter(), tag)


class Starter(_Client):
    """Starts executions, each twice with the same key, which must create one."""

    def begin(self) -> None:
        """Start an execution, repeat the request, and wait until it completes."""
        self.go_on()
        self.stage.starts.wait()
        self.go_on()
        project, key = self.stage.projects[self.number % len(self.stage.projects)], uuid4().hex
        first = self.start_execution(project, self.stage.brief, ask=False, key=key)
        again = self.start_execution(project, self.stage.brief, ask=False, key=key)
        if first is None or again is None:
            return
        if first != again:
            self.fail("Idempotency-Key", "the same key started two executions")
        self.stage.followable.append(first)
        self.reach(first, "completed")

    tasks: ClassVar[list[Any]] = [begin]


class Answerer(_Client):
    """Starts executions that ask questions, leaves them to the watchers for a while, and answers."""

    def ask_and_answer(self) -> None:
        """Answer the first question, and accept the defaults for the others."""
        self.go_on()
        self.stage.answers.wait()
        self.go_on()
        project = self.stage.projects[self.number % len(self.stage.projects)]
        execution = self.start_execution(project, self.stage.brief_with_questions, ask=True, key=uuid4().hex)
        if execution is None or not self.reach(execution, "waiting_for_answers"):
            return
        self.stage.followable.append(execution)
        gevent.sleep(self.stage.hold_s)
        self.answer(execution)
        self.reach(execution, "completed")

    tasks: ClassVar[list[Any]] = [ask_and_answer]

    def answer(self, execution: str) -> None:
        """Answer the questions of the execution."""
        with self.rest("GET", f"/api/v1/executions/{execution}", name=EXECUTION) as answer:
            questions = answer.js["questions"] if _is(answer, 200) else []
        given = {one["id"]: (one["choices"] or [one["default"] or "Not known yet."])[0] for one in questions[:1]}
        body = {"answers": given, "decide_rest": True}
        name = f"{EXECUTION}/answers"
        with self.rest("POST", f"/api/v1/executions/{execution}/answers", name=name, json=body) as answer:
            _is(answer, 200)


class Watcher(User):  # type: ignore[misc] # as above
    """Follows executions live, one stream at a time, and checks the numbers of the events.

    Half of them stay with an execution that waits until the end of the test. The others go from one to the next, and
    half of those disconnect repeatedly and resume where they were.
    """

    def __init__(self, environment: LoadTest) -> None:
        super().__init__(environment)
        self.stage = environment.stage
        self.number = next(self.stage.ids)
        self.stays = self.number % 2 == 0
        self.breaks_off = self.number % 4 == 1
        self.seen: set[str] = set()

    def follow(self) -> None:
        """Follow one execution to its end."""
        stage = self.stage
        if self.stays:
            execution = stage.held[self.number // 2 % len(stage.held)]
        elif stage.closing:
            raise StopUser
        else:
            unseen = [one for one in stage.followable[-_NEWEST:] if one not in self.seen]
            self._pause()
            if not unseen:
                return
            execution = unseen[self.number // 2 % len(unseen)]
            self.seen.add(execution)
        last = 0
        while (seen := self._read(execution, last)) is not None:
            last = seen
            self._pause()  # as the server advises
        stage.ended += 1
        if self.stays:
            raise StopUser

    tasks: ClassVar[list[Any]] = [follow]

    def _pause(self) -> None:
        gevent.sleep(random.uniform(0.0, _PAUSE_S))  # noqa: S311 - so that not all of them connect at the same moment

    def _read(self, execution: str, last: int) -> int | None:
        """Follow over one connection; returns the last number, or None at the end of the execution."""
        stage, began = self.stage, time.perf_counter()
        stream = EventStream(stage.url, f"/api/v1/executions/{execution}/events", stage.token)
        took, fault = 0.0, None
        try:
            status = stream.open(last)
            took = 1000 * (time.perf_counter() - began)
            if status == 204:  # noqa: PLR2004 - no more events
                return None
            stage.open_streams += 1
            stage.most_streams = max(stage.most_streams, stage.open_streams)
            try:
                return self._take(stream, last)
            finally:
                stage.open_streams -= 1
        except (Cut, OSError) as error:
            fault = error
            return None if stage.closing else last
        finally:
            stream.close()
            self.environment.events.request.fire(
                request_type="GET",
                name=f"{EXECUTION}/events, opened",
                response_time=took or 1000 * (time.perf_counter() - began),
                response_length=0,
                exception=fault,
            )

    def _take(self, stream: EventStream, last: int) -> int | None:
        stage, opened, taken = self.stage, time.time(), 0
        if last:
            stage.resumed += 1
        for event in stream.received():
            if event.ended:
                return None
            self._check(event, last, opened)
            last, taken = max(last, event.seq), taken + 1
            if self.breaks_off and taken == _RECONNECT_AFTER:
                return last
        raise Cut("the server ended the stream before the execution")

    def _check(self, event: Received, last: int, opened: float) -> None:
        stage = self.stage
        stage.received += 1
        stage.gaps += event.seq > last + 1
        stage.repeats += event.seq <= last
        if stage.same_clock and event.at > opened:  # earlier ones are history
            stage.latencies_ms.append(1000 * (event.came - event.at))


def _is(answer: Any, status: int) -> bool:
    """Whether the response has this status; otherwise records an error with the server's message."""
    if answer.status_code == status:
        return True
    answer.failure(f"{answer.status_code} instead of {status}: {_said(answer)}")
    return False


def _said(answer: Any) -> str:
    try:
        error = json.loads(answer.text or "")["error"]
        return f"{error['code']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        return str(answer.error or "no response") if not answer.status_code else "not an error of the API"
