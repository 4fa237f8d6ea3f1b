import json
import logging

import pytest
import structlog

from combine.observability.logging import MASK, configure_logging


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


def test_both_kinds_of_logger_have_one_format_and_mask_secrets(capsys):
    configure_logging("json", "info", tracebacks=False, secrets=["hunter2", ""])
    logging.getLogger("a").info("to %s with %s", "postgresql://u:pass@h/d", "hunter2")
    structlog.get_logger("b").warning("key sk-ant-api03-abcdef", execution=["hunter2"])
    first, second = lines(capsys)
    assert (first["event"], first["level"], first["logger"]) == ("to postgresql://u:***@h/d with ***", "info", "a")
    assert (second["event"], second["execution"]) == ("key ***", "['***']")


@pytest.mark.parametrize(
    "secret", ['p4"ss\\word', "o'clock", "müller 🎂 7", "a\\nb", "tab\there", "\\\\srv\\\nab", "back\\éhere"]
)
@pytest.mark.parametrize(
    "written",
    [
        str,
        repr,
        json.dumps,
        lambda secret: json.dumps({"reply": json.dumps([secret])}),
        lambda secret: json.dumps(json.dumps(secret, ensure_ascii=False), ensure_ascii=False),
        lambda secret: str([{"key": secret}]),
        lambda secret: {"key": [secret]},
        KeyError,
    ],
)
def test_a_secret_is_masked_however_it_is_escaped(capsys, secret, written):
    configure_logging("json", "info", tracebacks=False, secrets=[secret])
    logging.getLogger("a").info("given %s, and more", written(secret))
    structlog.get_logger("b").warning("given", value=written(secret))
    first, second = lines(capsys)
    assert [MASK in text for text in (first["event"], second["value"])] == [True, True]
    assert not any(part in text for part in ("word", "clock", "ller", "here") for text in (first["event"], str(second)))


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


def test_repeated_lines_are_suppressed(capsys):
    configure_logging("json", "info", tracebacks=False)
    for number in range(50):
        logging.getLogger("dbos").error("lost %s", number)
    logging.getLogger("dbos").info("an advertisement")
    assert [line["event"] for line in lines(capsys)] == ["lost 0"]


@pytest.mark.parametrize("tracebacks", [True, False])
def test_dbos_lines_about_cancelled_tasks_are_for_debugging(capsys, tracebacks):
    configure_logging("json", "info", tracebacks=tracebacks)
    logging.getLogger("dbos").warning("Asyncio task cancelled for workflow or step <function f at 0x7f04>")
    logging.getLogger("dbos").warning("something else")
    assert len(lines(capsys)) == (2 if tracebacks else 1)


_OUTAGE = """Exception polling schedules: Traceback (most recent call last):
  File "engine/base.py", line 154, in __init__
psycopg.OperationalError: connection is bad
\tIs the server running?

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
sqlalchemy.exc.OperationalError: (psycopg.OperationalError) connection is bad
\tIs the server running?
(Background on this error)
"""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (_OUTAGE, "Exception polling schedules: OperationalError: (psycopg.OperationalError) connection is bad"),
        ("lost: gone\n\tIs it running?\n(Background)", "lost: gone"),
        ("100% fine", "100% fine"),
    ],
)
def test_an_outage_is_one_line_without_the_traceback(capsys, said, told):
    configure_logging("json", "info", tracebacks=False)
    logging.getLogger("dbos").warning(said)
    assert [line["event"] for line in lines(capsys)] == [told]


def test_the_whole_message_when_tracebacks_are_asked_for(capsys):
    configure_logging("json", "info", tracebacks=True)
    logging.getLogger("dbos").warning(_OUTAGE)
    assert "Traceback" in lines(capsys)[0]["event"]
