import re

import pytest

from combine.api.correlation import request_id_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def scope(*headers):
    return {"headers": [(name.encode(), value.encode("latin-1")) for name, value in headers]}


@pytest.mark.parametrize("given", ["a", "A.b_c-9", "x" * 64])
def test_the_clients_own_id(given):
    assert request_id_of(scope(("x-request-id", given), ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"))) == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "ä", "a;b", '"'])
def test_an_unusable_id_is_replaced(given):
    assert re.fullmatch("[0-9a-f]{32}", request_id_of(scope(("x-request-id", given))))


@pytest.mark.parametrize("given", [f"00-{TRACE}-00f067aa0ba902b7-01", f"cc-{TRACE}-00f067aa0ba902b7-00-what-comes"])
def test_the_trace_of_the_client(given):
    assert request_id_of(scope(("x-request-id", "no good"), ("traceparent", given))) == TRACE


@pytest.mark.parametrize(
    "given",
    [
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7",
        TRACE,
    ],
)
def test_an_invalid_trace_is_ignored(given):
    assert request_id_of(scope(("traceparent", given))) != TRACE


def test_each_request_has_its_own_id_and_the_first_of_two_headers_counts():
    assert request_id_of(scope()) != request_id_of(scope())
    assert request_id_of(scope(("x-request-id", "first"), ("x-request-id", "second"))) == "first"
