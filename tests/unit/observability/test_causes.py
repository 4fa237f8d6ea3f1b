from structlog.contextvars import get_contextvars

from combine.observability.correlation import caused_by, current_request_id


def test_the_innermost_cause_counts_and_may_be_none():
    assert current_request_id() is None
    with caused_by("outer", execution_id="1"):
        with caused_by(None):
            assert current_request_id() is None
            assert get_contextvars() == {"execution_id": "1"}  # a log line without a request has no request_id
            with caused_by("inner"):
                assert current_request_id() == "inner"
        assert current_request_id() == "outer"
    assert get_contextvars() == {}
