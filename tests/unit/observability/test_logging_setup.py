import json
import logging

import pytest
import structlog

from combine.observability.logging import configure_logging


@pytest.fixture(autouse=True)
def restored():
    root, dbos = logging.getLogger(), logging.getLogger("dbos")
    before = (root.handlers[:], root.level, dbos.handlers, dbos.filters, dbos.level, dbos.propagate)
    root.handlers = []
    yield
    root.handlers, root.level, dbos.handlers, dbos.filters, dbos.level, dbos.propagate = before
    structlog.reset_defaults()


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_one_form_for_both_kinds_of_logger_and_no_secret(capsys):
    configure_logging("json", "info", tracebacks=False, secrets=["hunter2", ""])
    logging.getLogger("a").info("to %s with %s", "postgresql://u:pass@h/d", "hunter2")
    structlog.get_logger("b").warning("key sk-ant-api03-abcdef", execution=["hunter2"])
    first, second = lines(capsys)
    assert (first["event"], first["level"], first["logger"]) == ("to postgresql://u:***@h/d with ***", "info", "a")
    assert (second["event"], second["execution"]) == ("key ***", "['***']")


@pytest.mark.parametrize("tracebacks", [True, False])
def test_tracebacks_only_when_asked_for(capsys, tracebacks):
    configure_logging("json", "info", tracebacks=tracebacks)
    try:
        int("no")
    except ValueError:
        logging.getLogger("a").exception("failed")
    (line,) = lines(capsys)
    assert ("Traceback" in json.dumps(line)) is tracebacks
    assert "ValueError: invalid literal" in json.dumps(line)


def test_a_place_that_repeats_itself_is_held_back(capsys):
    configure_logging("json", "info", tracebacks=False)
    for number in range(50):
        logging.getLogger("dbos").error("lost %s", number)
    logging.getLogger("dbos").info("an advertisement")
    assert [line["event"] for line in lines(capsys)] == ["lost 0"]
