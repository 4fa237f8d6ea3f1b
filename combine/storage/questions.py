"""Questions and their answers, numbered over the whole execution."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from combine.documents.questions import Question
from combine.documents.statuses import DecidedBy
from combine.records import AskedQuestion
from combine.storage.core.database import ReadSession
from combine.storage.core.rows import build_all, columns
from combine.storage.core.tables import executions, questions

_SELECT = sa.select(
    *(column for column in columns(questions, AskedQuestion)),
    (sa.literal("Q-") + sa.cast(questions.c.number, sa.Text)).label("id"),
    questions.c.default_answer.label("default"),
).order_by(questions.c.number)


class Questions:
    """Every query about questions."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def insert_many(
        self, execution_id: UUID, step_id: str, round_: int, asked: Sequence[Question]
    ) -> tuple[AskedQuestion, ...]:
        """Number and store one round of a step's questions. Storing a round twice stores it once.

        Takes the lock of the execution's row, as parallel steps number from the same counter.
        """
        lock = sa.select(executions.c.id).where(executions.c.id == execution_id).with_for_update()
        await self._connection.execute(lock)
        so_far = await self.list(execution_id)
        if not any(row.step_id == step_id and row.round == round_ for row in so_far) and asked:
            first = max((row.number for row in so_far), default=0) + 1
            rows = [
                {
                    "execution_id": execution_id,
                    "number": first + place,
                    "step_id": step_id,
                    "round": round_,
                    "text": question.text,
                    "why": question.why,
                    "answer_type": question.answer_type,
                    "choices": list(question.choices),
                    "default_answer": question.default,
                    "required": question.required,
                }
                for place, question in enumerate(asked)
            ]
            await self._connection.execute(sa.insert(questions), rows)
            so_far = await self.list(execution_id)
        return tuple(row for row in so_far if row.step_id == step_id and row.round == round_)

    async def list(self, execution_id: UUID) -> tuple[AskedQuestion, ...]:
        """All questions, by number."""
        return await self._rows(questions.c.execution_id == execution_id)

    async def open_questions(self, execution_id: UUID) -> tuple[AskedQuestion, ...]:
        """Open questions, by number."""
        return await self._rows(questions.c.execution_id == execution_id, questions.c.answer.is_(None))

    async def answer(
        self, execution_id: UUID, number: int, text: str, decided_by: DecidedBy, *, assumption_id: str | None = None
    ) -> bool:
        """Settle an open question. False: it is already settled or does not exist; nothing changed."""
        statement = (
            sa.update(questions)
            .where(questions.c.execution_id == execution_id, questions.c.number == number, questions.c.answer.is_(None))
            .values(
                answer=text,
                decided_by=decided_by,
                assumption_id=assumption_id,
                answered_at=sa.func.clock_timestamp(),
            )
        )
        return (await self._connection.execute(statement)).rowcount == 1

    async def _rows(self, *where: sa.ColumnElement[bool]) -> tuple[AskedQuestion, ...]:
        return build_all(AskedQuestion, await self._connection.execute(_SELECT.where(*where)))
