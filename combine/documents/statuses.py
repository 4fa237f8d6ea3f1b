"""The names of states, as used in the code, the database and every response."""

from __future__ import annotations

from enum import StrEnum


class ExecutionStatus(StrEnum):
    """Status of an execution."""

    QUEUED = "queued"  # waiting for a process to take it
    RUNNING = "running"  # a process is working on it
    WAITING_FOR_ANSWERS = "waiting_for_answers"  # a person must answer questions
    WAITING_FOR_ACCEPTANCE = "waiting_for_acceptance"  # a person must accept or reject a document
    WAITING_FOR_BUDGET = "waiting_for_budget"  # the next call could exceed the cap
    WAITING_FOR_PROVIDER = "waiting_for_provider"  # the provider is unavailable; retried later
    WAITING_FOR_DECISION = "waiting_for_decision"  # a QA limit is reached; a person must decide
    COMPLETED = "completed"  # all documents are finished
    FAILED = "failed"  # stopped with a reason; can be resumed
    CANCELLED = "cancelled"  # cancelled by a person


UNDER_WAY = frozenset({ExecutionStatus.QUEUED, ExecutionStatus.RUNNING})
ENDED = frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED})


class StepStatus(StrEnum):
    """Status of a step of an execution."""

    PENDING = "pending"  # not started, or to be repeated after a revision
    RUNNING = "running"
    WAITING_FOR_ANSWERS = "waiting_for_answers"
    WAITING_FOR_ACCEPTANCE = "waiting_for_acceptance"
    WAITING_FOR_BUDGET = "waiting_for_budget"
    WAITING_FOR_PROVIDER = "waiting_for_provider"
    WAITING_FOR_DECISION = "waiting_for_decision"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"  # was running when its execution was cancelled; shown, never stored


class DocumentStatus(StrEnum):
    """Status of a document version in its project."""

    DRAFT = "draft"  # made by an execution that has not completed
    ACTIVE = "active"  # the current version
    STALE = "stale"  # something it depends on has changed
    SUPERSEDED = "superseded"  # replaced by a later version


class CallState(StrEnum):
    """Status of an LLM call in the ledger."""

    INTENT = "intent"  # committed before the request is sent
    REPLIED = "replied"  # the raw reply is stored
    FAILED = "failed"  # the provider refused, or its reply was not usable
    OUTCOME_UNKNOWN = "outcome_unknown"  # the process ended while the call was in flight


class CallPurpose(StrEnum):
    """Why a call was made."""

    DRAFT = "draft"
    REMEDIATION = "remediation"
    REVISION = "revision"
    REVIEW = "review"


class DecidedBy(StrEnum):
    """Who settled a question."""

    PERSON = "person"
    DEFAULT = "default"  # "decide for me": the default is recorded as an assumption


class DecisionAction(StrEnum):
    """What a person decided about a step or an execution."""

    ACCEPT = "accept"
    REJECT = "reject"
    ACCEPT_ANYWAY = "accept_anyway"
    TRY_AGAIN = "try_again"
    CANCEL = "cancel"


class GroupBy(StrEnum):
    """Ways to group costs."""

    DAY = "day"
    MODEL = "model"
    WORKFLOW = "workflow"
    STEP = "step"
    PROJECT = "project"
    EXECUTION = "execution"
