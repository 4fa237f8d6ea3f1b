import asyncio

import pytest

from combine.observability.health import Readiness
from combine.observability.metrics import Metrics, Readings


def test_requests_are_counted_by_route_method_and_class_of_status():
    metrics = Metrics()
    metrics.request("/a/{id}", "GET", 200, 0.01)
    metrics.request("/a/{id}", "GET", 204, 0.01)
    metrics.request("/a/{id}", "BREW", 405, 0.01)
    metrics.request("/a/{id}", "POST", 0, 0.01)
    text = metrics.text().decode()
    assert 'combine_http_requests_total{method="GET",route="/a/{id}",status="2xx"} 2.0' in text
    assert 'combine_http_requests_total{method="other",route="/a/{id}",status="4xx"} 1.0' in text
    assert 'combine_http_requests_total{method="POST",route="/a/{id}",status="none"} 1.0' in text
    assert 'combine_http_request_seconds_bucket{le="0.01",method="GET",route="/a/{id}"} 2.0' in text


def test_two_servers_in_one_process_count_apart():
    one, other = Metrics(), Metrics()
    one.rate_limited("starts")
    assert 'combine_rate_limited_total{limit="starts"} 1.0' in one.text().decode()
    assert "starts" not in other.text().decode()


def test_readings_are_read_on_each_scrape():
    metrics, connections = Metrics(), {"in_use": 1.0, "idle": 2.0}
    metrics.add_readings(Readings(lambda: 3, lambda: 2, lambda: 1, lambda: connections))
    connections["in_use"] = 5.0
    text = metrics.text().decode()
    for line in (
        "combine_event_streams 3.0",
        "combine_followed_executions 2.0",
        "combine_event_streams_dropped_total 1.0",
        'combine_database_connections{state="in_use"} 5.0',
    ):
        assert line in text


async def well():
    return True


async def ill():
    return False


async def broken():
    raise OSError("no")


async def hanging():
    await asyncio.Event().wait()
    return True


@pytest.mark.parametrize("check", [ill, broken, hanging])
async def test_one_failed_check_is_enough_and_is_named(check):
    health = await Readiness({"a": well, "b": check}, seconds=0.05).check()
    assert (health.ready, health.checks) == (False, {"a": True, "b": False})


async def test_ready_if_all_checks_pass():
    assert (await Readiness({"a": well, "b": well}).check()).ready
