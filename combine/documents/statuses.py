"""The words for states, used in every room, in the database and in every answer."""

from __future__ import annotations

from enum import StrEnum


class ExecutionStatus(StrEnum):
    """Where an execution stands."""

    QUEUED = "queued"  # waits for a process to take it
    RUNNING = "running"  # a process works on it
    WAITING_FOR_ANSWERS = "waiting_for_answers"  # a person must answer questions
    WAITING_FOR_ACCEPTANCE = "waiting_for_acceptance"  # a person must accept or send back a document
    WAITING_FOR_BUDGET = "waiting_for_budget"  # the next call could pass the cap
    WAITING_FOR_PROVIDER = "waiting_for_provider"  # the provider is out; tried again later
    WAITING_FOR_DECISION = "waiting_for_decision"  # a QA limit is reached; a person must decide
    COMPLETED = "completed"  # every document is there
    FAILED = "failed"  # stopped with a reason; can be resumed
    CANCELLED = "cancelled"  # ended by a person


WAITING = frozenset(s for s in ExecutionStatus if s.value.startswith("waiting_"))
ENDED = frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED})


class StepStatus(StrEnum):
    """Where a step of an execution stands."""

    PENDING = "pending"  # not begun, or to be done again after a revision
    RUNNING = "running"
    WAITING_FOR_ANSWERS = "waiting_for_answers"
    WAITING_FOR_ACCEPTANCE = "waiting_for_acceptance"
    WAITING_FOR_BUDGET = "waiting_for_budget"
    WAITING_FOR_PROVIDER = "waiting_for_provider"
    WAITING_FOR_DECISION = "waiting_for_decision"
    DONE = "done"
    FAILED = "failed"


class DocumentStatus(StrEnum):
    """What a document version counts for in its project."""

    DRAFT = "draft"  # made by an execution that has not completed
    ACTIVE = "active"  # the version that counts
    STALE = "stale"  # something it depends on has changed
    SUPERSEDED = "superseded"  # a later version took its place


class CallState(StrEnum):
    """Where one LLM call stands in the ledger."""

    INTENT = "intent"  # committed before the request left
    REPLIED = "replied"  # the raw reply is stored
    FAILED = "failed"  # the provider said no; nothing usable came back
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
    DEFAULT = "default"  # "decide for me": the default stands as an assumption


class DecisionAction(StrEnum):
    """What a person decided about a step or an execution."""

    ACCEPT = "accept"
    REJECT = "reject"
    ACCEPT_ANYWAY = "accept_anyway"
    TRY_AGAIN = "try_again"
    CANCEL = "cancel"
