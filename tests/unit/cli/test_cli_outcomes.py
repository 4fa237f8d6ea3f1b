from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest

from combine.cli import app
from combine.cli.docs import diff_as_text
from combine.cli.executions import cost_at_most
from combine.cli.exit_codes import ExitCode, message_of, of_error, of_status
from combine.cli.progress import ProgressState
from combine.cli.result import cost_text, finding_lines, next_step
from combine.documents.diff import DocumentDiff
from combine.documents.items import Item
from combine.documents.statuses import ExecutionStatus, StepStatus
from combine.errors import (
    Conflict,
    DatabaseUnavailable,
    DefinitionInvalid,
    Invalid,
    NotFound,
    NotPermitted,
    PermanentLLMError,
    TransientLLMError,
)
from combine.records import Event
from combine.services.views import (
    CallView,
    DocumentChanges,
    DocumentView,
    ExecutionDetail,
    ExecutionView,
    FindingView,
    StepView,
    TokensView,
)

NOW = datetime(2027, 1, 1, tzinfo=UTC)
ID = UUID("0123456789abcdef0123456789abcdef")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Invalid(), 2),
        (DefinitionInvalid(), 2),
        (NotFound(), 2),
        (Conflict(), 2),
        (NotPermitted(), 2),
        (TransientLLMError(), 6),
        (PermanentLLMError(), 6),
        (DatabaseUnavailable(), 1),
        (RuntimeError(), 1),
    ],
)
def test_errors(error, code):
    assert of_error(error) == code


@pytest.mark.parametrize("wrap", [False, True])
def test_a_full_disk_is_told_whatever_has_met_it(monkeypatch, capsys, wrap):
    def fail(*_arguments, **_options):
        full = psycopg.errors.DiskFull('could not extend file "base/1/2"')
        if wrap:
            raise DatabaseUnavailable("The engine could not start on this database.") from full
        raise full

    monkeypatch.setattr(app, "build_app", lambda: fail)
    assert app._run(["list"], debug=False) == 1
    told = capsys.readouterr().err
    assert "disk is full.\nFree space" in told


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        ("completed", None, 0),
        ("waiting_for_answers", None, 3),
        ("waiting_for_acceptance", None, 3),
        ("waiting_for_budget", "budget_reached", 4),
        ("waiting_for_decision", "remediations_used_up", 5),
        ("waiting_for_provider", "provider.x", 6),
        ("failed", "provider.refused", 6),
        ("failed", "internal_error", 1),
        ("failed", None, 1),
        ("cancelled", None, 1),
        ("queued", None, 1),
        ("running", None, 1),
    ],
)
def test_every_status_has_its_exit_code(status, reason, code):
    assert of_status(ExecutionStatus(status), reason) is ExitCode(code)


def test_an_error_names_cause_and_next_step():
    assert message_of(Invalid("No.", hint="Do this.")) == "Error: No.\nDo this."
    assert message_of(Invalid("No.")) == "Error: No."


def call(state="replied", provider="openai", **more):
    values = {
        "cost_usd": Decimal("0.5"),
        "reserved_usd": Decimal(2),
        "stop_reason": None,
        "error": None,
        "request_id": None,
    } | more
    return CallView(
        ID, "s", 0, 1, "draft", state, provider, "m", TokensView(), started_at=NOW, finished_at=NOW, **values
    )


def detail(status, calls=(), cost=Decimal("0.5"), **more):
    execution = ExecutionView(
        ID,
        "p",
        ID,
        "w",
        ExecutionStatus(status),
        None,
        more.pop("reason_code", None),
        "m",
        more.pop("budget", None),
        cost or 0,
        cost,
        NOW,
        NOW,
        None,
    )
    return ExecutionDetail(execution, (), (), (), (), tuple(calls), TokensView(), Decimal(0), 0, 1, 1, 1.0)


@pytest.mark.parametrize(
    ("spent", "cost", "told"),
    [
        ("0.1", "0.1", "0.1000 USD"),
        ("0.1", "0.15", "at most 0.1500 USD"),
        ("0", "0.15", "at most 0.1500 USD"),
        ("0.1", None, "unknown price"),
    ],
)
def test_a_cost_that_holds_what_is_only_reserved_says_so(spent, cost, told):
    view = replace(
        detail("running").execution, spent_usd=Decimal(spent), cost_usd=None if cost is None else Decimal(cost)
    )
    assert cost_at_most(view) == told


def test_a_status_is_told_in_words():
    error = Conflict("Execution 1 waits for no decision; it is waiting_for_answers.", hint="combine answer 1")
    assert message_of(error) == "Error: Execution 1 waits for no decision; it is waiting for answers.\ncombine answer 1"
    theirs = "There is no brief waiting_for_answers/x.md."
    assert message_of(NotFound(theirs)) == f"Error: {theirs}"


@pytest.mark.parametrize("status", list(ExecutionStatus))
def test_every_status_has_a_next_step(status):
    assert "combine " in next_step(detail(status), {})
    assert "{" not in next_step(detail(status), {})


def test_where_several_documents_wait_the_next_command_names_the_step():
    waits = StepStatus.WAITING_FOR_ACCEPTANCE
    steps = tuple(StepView(name, "PM", name, waits, 0, 1, ID, None, NOW, None) for name in ("plan", "offer"))
    told = next_step(replace(detail("waiting_for_acceptance"), steps=steps), {})
    assert "combine accept 01234567 --step plan" in told
    assert "combine reject 01234567 --step plan --reason TEXT" in told
    assert "offer" in told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"satisfies": ["FR-001"], "name": "Pages", "responsibility": "Shows."}, "Pages"),
        ({"type": "budget", "description": "At most 5 euros."}, "At most 5 euros."),
        ({"note": "of another kind"}, "of another kind"),
    ],
)
def test_a_difference_names_items_by_what_they_are_about(value, told):
    item = Item("XX-001", "XX", "things", "$.things[0]", {"id": "XX-001", **value})
    view = DocumentView(ID, "p", ID, "t", 1, "active", "llm", None, None, None, "", NOW)
    changes = DocumentChanges(view, view, DocumentDiff((item,), (), (), ()))
    assert list(diff_as_text(changes))[1] == f"+ XX-001  {told}"


def test_only_what_code_has_found_is_told_with_its_path():
    found = [
        FindingView("review", kind, "minor", "clarity", "plan", None, "$.findings[4]", f"Told by {kind}.")
        for kind in ("semantic", "mechanical")
    ]
    semantic, mechanical = finding_lines(replace(detail("completed"), findings=tuple(found)))
    assert "plan: Told" in semantic
    assert "plan $.findings[4]: Told" in mechanical


def test_a_provider_that_is_out_is_told_with_its_next_try():
    waiting = detail("waiting_for_provider")
    waiting = replace(waiting, execution=replace(waiting.execution, next_try_at=NOW, tries=2))
    told = next_step(waiting, {})
    for part in ("2027-01-01 00:00:00 UTC", "2 failed attempts", "combine worker", "combine resume 01234567"):
        assert part in told
    assert "combine worker" in next_step(detail("waiting_for_provider"), {})


def test_an_execution_whose_model_is_gone_can_only_begin_anew():
    assert "combine run BRIEF --model" in next_step(detail("failed", reason_code="provider.model_not_found"), {})
    assert "--model" not in next_step(detail("failed", reason_code="provider.api_key_rejected"), {})


def test_the_cost_says_what_is_not_certain():
    assert cost_text(detail("completed", [call(provider="offline")], Decimal(0))).startswith("0 USD: no language model")
    assert cost_text(detail("completed", [call()], None)) == "unknown price"
    unknown = cost_text(detail("failed", [call(), call("outcome_unknown")], Decimal("2.5")))
    assert unknown.startswith("2.5000 USD, ")
    assert "reserved for 1 call with an unknown outcome" in unknown
    assert cost_text(detail("completed", [call()], budget=Decimal(3))) == "0.5000 USD of a budget of 3.0000 USD"


def test_events_become_lines():
    state = ProgressState({"draft": "memo"}, "openai:m")
    spent = {"input_tokens": 900, "cache_read_tokens": 100, "output_tokens": 50, "cost_usd": "0.25"}
    told = [
        ("execution_queued", None, {}, None),
        ("execution_running", None, {"outcome_unknown": 1}, "1 call was in flight when the last process ended"),
        ("call_started", "draft", {"purpose": "draft", "model": "m", "attempt": 1}, "draft: drafting memo (m)"),
        ("call_progress", "draft", {"output_tokens_estimated": 40, "waiting_s": None}, None),
        ("call_progress", "draft", {"waiting_s": 5, "reason": "busy"}, "draft: retrying in 5.0 s: busy"),
        ("call_progress", "draft", {"waiting_s": 5, "reason": "busy"}, None),
        ("call_finished", "draft", spent, None),
        (
            "fallback_used",
            "draft",
            {"model": "openai:m", "fallback_model": "openai:n", "reason": "Busy."},
            "draft: openai:m failed, falling back to openai:n: Busy.",
        ),
        (
            "provider_tried_again",
            None,
            {"provider": "openai", "probe": True},
            "checking whether openai is available again",
        ),
        ("provider_tried_again", None, {"provider": "openai", "probe": False}, "openai is available again"),
        (
            "findings_found",
            "draft",
            {"findings": 2, "attempt": 1, "codes": ["a", "b"]},
            "draft: 2 findings in attempt 1: a, b",
        ),
        (
            "call_started",
            "draft",
            {"purpose": "remediation", "model": "", "attempt": 2},
            "draft: fixing memo (openai:m)",
        ),
        ("call_finished", "draft", spent, None),
        (
            "document_saved",
            "draft",
            {"document": "memo", "version": 3},
            "draft: memo version 3, 0.0 s, 2,000 tokens in, 100 out, 0.5000 USD",
        ),
        ("questions_asked", "draft", {"questions": ["Q-1"], "open": 0}, "draft: 1 question, already answered"),
        ("revision_started", "draft", {"steps": ["draft", "a"], "findings": 1}, "draft: sent back a with 1 finding"),
        ("step_failed", "draft", {"reason": "It refused."}, "draft: It refused."),
        ("execution_failed", None, {}, None),
    ]
    for seq, (kind, step, data, line) in enumerate(told, 1):
        found = state.apply(Event(seq, NOW, kind, step, data, None))
        assert found == line if line is None else found.startswith(line)
    assert state.running == {}


def test_one_unknown_price_makes_the_sum_unknown():
    state = ProgressState({}, "m")
    for kind, data in (
        ("call_started", {}),
        ("call_finished", {"cost_usd": None}),
        ("call_finished", {"cost_usd": "1"}),
    ):
        state.apply(Event(1, NOW, kind, "s", data, None))
    assert state.running["s"].cost_usd is None
