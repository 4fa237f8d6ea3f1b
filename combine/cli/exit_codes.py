"""The exit code of every outcome. No other module names one."""

from __future__ import annotations

from enum import IntEnum

from combine.documents.statuses import ExecutionStatus
from combine.errors import CombineError, Conflict, Invalid, LLMError, NotFound, NotPermitted, NotSignedIn

PROVIDER_PREFIX = "provider."


class ExitCode(IntEnum):
    """The exit codes of every command."""

    COMPLETED = 0
    OTHER = 1
    WRONG_USE = 2
    WAITING_FOR_PERSON = 3
    BUDGET = 4
    QA_LIMIT = 5
    PROVIDER = 6


_OF_STATUS = {
    ExecutionStatus.COMPLETED: ExitCode.COMPLETED,
    ExecutionStatus.WAITING_FOR_ANSWERS: ExitCode.WAITING_FOR_PERSON,
    ExecutionStatus.WAITING_FOR_ACCEPTANCE: ExitCode.WAITING_FOR_PERSON,
    ExecutionStatus.WAITING_FOR_BUDGET: ExitCode.BUDGET,
    ExecutionStatus.WAITING_FOR_DECISION: ExitCode.QA_LIMIT,
    ExecutionStatus.WAITING_FOR_PROVIDER: ExitCode.PROVIDER,
}


def of_error(error: BaseException) -> ExitCode:
    """The exit code of a command that failed with ``error``."""
    if isinstance(error, Invalid | NotFound | Conflict | NotPermitted | NotSignedIn):
        return ExitCode.WRONG_USE
    return ExitCode.PROVIDER if isinstance(error, LLMError) else ExitCode.OTHER


def of_status(status: ExecutionStatus, reason_code: str | None) -> ExitCode:
    """The exit code of a command that leaves an execution in ``status``."""
    if status is ExecutionStatus.FAILED and (reason_code or "").startswith(PROVIDER_PREFIX):
        return ExitCode.PROVIDER
    return _OF_STATUS.get(status, ExitCode.OTHER)


def message_of(error: CombineError) -> str:
    """The cause and the next step, for a person."""
    message = error.message
    for status in ExecutionStatus:  # shown as words, not as the names that programs use
        message = message.replace(f" is {status}", f" is {status.replace('_', ' ')}")
    return f"Error: {message}" + (f"\n{error.hint}" if error.hint else "")
