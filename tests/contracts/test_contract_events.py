"""The events of one execution that has met nearly everything: kinds, steps, and keys and types of their data."""

from __future__ import annotations

import json

import pytest
from shapes import pinned, shape, steady

pytestmark = pytest.mark.timeout(300)  # includes the shared fixture `played`


def test_the_events_of_the_scripted_execution(played):
    told = played.cli.here("watch", played.execution, "--json")
    assert told.code == 0, told.err
    events = [json.loads(line) for line in told.out.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    lines = [[event["kind"], event["step_id"], shape(event["data"], key="data")] for event in steady(events)]
    pinned("events-of-the-scripted-execution", lines)
