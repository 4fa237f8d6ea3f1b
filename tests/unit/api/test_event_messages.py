import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from combine.api.event_stream import encoded, message
from combine.records import Event

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_an_event_on_the_wire():
    event = Event(7, AT, "call_started", "review", {"model": "offline", "words": "a\nb"}, "r1")
    assert encoded([event]).decode() == (
        "id: 7\nevent: call_started\n"
        'data: {"seq":7,"at":"2026-01-02T03:04:05+00:00","kind":"call_started","step_id":"review",'
        '"data":{"model":"offline","words":"a\\nb"},"request_id":"r1"}\n\n'
    )


def test_the_last_message_has_no_number():
    assert message("end", {"status": "completed"}) == b'event: end\ndata: {"status":"completed"}\n\n'


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"]))
    )
)
def test_a_message_has_one_line_of_data(data):
    lines = encoded([Event(1, AT, "tick", None, data, None)]).decode().split("\n")
    assert [line.partition(":")[0] for line in lines] == ["id", "event", "data", "", ""]
    assert json.loads(lines[2].removeprefix("data: "))["data"] == data
