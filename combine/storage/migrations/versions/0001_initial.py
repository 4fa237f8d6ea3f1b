"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blobs",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("body", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blobs")),
        comment="Rendered prompts and raw replies, content-addressed.",
    )
    op.create_table(
        "executors",
        sa.Column("id", sa.Text(), nullable=False, comment="new at every process start"),
        sa.Column("kind", sa.Text(), nullable=False, comment="cli, worker or serve"),
        sa.Column("queue", sa.Text(), nullable=False, comment="the queue it takes segments from"),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("beat_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_executors")),
    )
    op.create_table(
        "projects",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("budget_usd", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.Column("reserved_usd", sa.Numeric(precision=14, scale=6), server_default="0", nullable=False),
        sa.Column("spent_usd", sa.Numeric(precision=14, scale=6), server_default="0", nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("name", name=op.f("uq_projects_name")),
    )
    op.create_table(
        "daily_spending",
        sa.Column("day", sa.Date(), nullable=False, comment="in UTC; a call counts on the day it began"),
        sa.Column("reserved_usd", sa.Numeric(precision=14, scale=6), server_default="0", nullable=False),
        sa.Column("spent_usd", sa.Numeric(precision=14, scale=6), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_daily_spending")),
        comment="Spending of the whole installation. Free calls are not included.",
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("project_id", sa.UUID(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False, comment="model, offline, or person"),
        sa.Column("execution_id", sa.UUID(), nullable=True),
        sa.Column("step_id", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("call_ids", postgresql.ARRAY(sa.UUID()), server_default="{}", nullable=False),
        sa.Column("input_ids", postgresql.ARRAY(sa.UUID()), server_default="{}", nullable=False),
        sa.Column("prompt_sha256", sa.Text(), nullable=True),
        sa.Column(
            "assets",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="prompt files and schema by SHA-256",
        ),
        sa.Column("model", sa.Text(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_documents_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        sa.UniqueConstraint("project_id", "type", "version", name=op.f("uq_documents_project_id_type_version")),
        comment="One row is one immutable version; the brief is stored here too (type 'brief').",
    )
    op.create_index("ix_documents_execution_id", "documents", ["execution_id"], unique=False)
    op.create_table(
        "executions",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("project_id", sa.UUID(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("workflow_version", sa.Text(), nullable=False),
        sa.Column(
            "definition",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="the workflow as it was at the start",
        ),
        sa.Column("brief_id", sa.UUID(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False, comment="PROVIDER:MODEL"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True, comment="why it is waiting or has failed, for people"),
        sa.Column("reason_code", sa.Text(), nullable=True),
        sa.Column(
            "waits_for",
            sa.Text(),
            nullable=True,
            comment="the unavailable provider; in a probe, the one it retries",
        ),
        sa.Column(
            "next_try_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="time of the next retry; null in a probe",
        ),
        sa.Column(
            "tries", sa.Integer(), server_default="0", nullable=False, comment="consecutive failures; 0: it works again"
        ),
        sa.Column("round", sa.Integer(), server_default="1", nullable=False, comment="number of the current segment"),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False, comment="number of the last event"),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "ask", sa.Boolean(), server_default=sa.text("true"), nullable=False, comment="false: use the defaults"
        ),
        sa.Column("given_answers", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("forked_from", sa.UUID(), nullable=True, comment="whose results it reuses"),
        sa.Column("budget_usd", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.Column(
            "allow_unpriced",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="allow calls of unknown price",
        ),
        sa.Column("reserved_usd", sa.Numeric(precision=14, scale=6), server_default="0", nullable=False),
        sa.Column("spent_usd", sa.Numeric(precision=14, scale=6), server_default="0", nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["brief_id"], ["documents.id"], name=op.f("fk_executions_brief_id")),
        sa.ForeignKeyConstraint(["forked_from"], ["executions.id"], name=op.f("fk_executions_forked_from")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_executions_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_executions")),
    )
    op.create_index("ix_executions_project_id_created_at", "executions", ["project_id", "created_at"], unique=False)
    op.create_index("ix_executions_status", "executions", ["status"], unique=False)
    op.create_index(
        "ix_executions_waits_for",
        "executions",
        ["waits_for"],
        unique=False,
        postgresql_where=sa.text("waits_for IS NOT NULL"),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("execution_id", sa.UUID(), nullable=False),
        sa.Column("step_id", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("document_id", sa.UUID(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["execution_id"], ["executions.id"], name=op.f("fk_decisions_execution_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index("ix_decisions_execution_id", "decisions", ["execution_id"], unique=False)
    op.create_table(
        "events",
        sa.Column("execution_id", sa.UUID(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("step_id", sa.Text(), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["execution_id"], ["executions.id"], name=op.f("fk_events_execution_id")),
        sa.PrimaryKeyConstraint("execution_id", "seq", name=op.f("pk_events")),
    )
    op.create_table(
        "findings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("execution_id", sa.UUID(), nullable=False),
        sa.Column("step_id", sa.Text(), nullable=False, comment="the step whose reply was checked, or the review step"),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("found", sa.Text(), nullable=True),
        sa.Column("expected", sa.Text(), nullable=True),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["execution_id"], ["executions.id"], name=op.f("fk_findings_execution_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_findings")),
    )
    op.create_index("ix_findings_execution_id", "findings", ["execution_id"], unique=False)
    op.create_table(
        "llm_calls",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("execution_id", sa.UUID(), nullable=False),
        sa.Column("step_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False, comment="the requested model"),
        sa.Column("model_answered", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("prompt_sha256", sa.Text(), nullable=False),
        sa.Column("reply_sha256", sa.Text(), nullable=True),
        sa.Column("stop_reason", sa.Text(), nullable=True),
        sa.Column("stop_detail", sa.Text(), nullable=True),
        sa.Column("provider_request_id", sa.Text(), nullable=True),
        sa.Column("transport_attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("reserved_usd", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.Column("cost_usd", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.Column("price_source", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["execution_id"], ["executions.id"], name=op.f("fk_llm_calls_execution_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_llm_calls")),
    )
    op.create_index("ix_llm_calls_execution_id_step_id", "llm_calls", ["execution_id", "step_id"], unique=False)
    op.create_index("ix_llm_calls_started_at", "llm_calls", ["started_at"], unique=False)
    op.create_table(
        "questions",
        sa.Column("execution_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="3 for Q-3"),
        sa.Column("step_id", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False, comment="1 or 2, within the step"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("answer_type", sa.Text(), nullable=False),
        sa.Column("choices", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("default_answer", sa.Text(), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("assumption_id", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["execution_id"], ["executions.id"], name=op.f("fk_questions_execution_id")),
        sa.PrimaryKeyConstraint("execution_id", "number", name=op.f("pk_questions")),
    )
    op.create_table(
        "steps",
        sa.Column("execution_id", sa.UUID(), nullable=False),
        sa.Column("step_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "attempt", sa.Integer(), server_default="0", nullable=False, comment="finished attempts of this revision"
        ),
        sa.Column("question_rounds", sa.Integer(), server_default="0", nullable=False),
        sa.Column("document_id", sa.UUID(), nullable=True, comment="the latest version of this step"),
        sa.Column("accepted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("guidance", sa.Text(), nullable=True, comment="a person's guidance for this revision"),
        sa.Column("reason", sa.Text(), nullable=True, comment="why it is waiting or has failed"),
        sa.Column("reason_code", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["execution_id"], ["executions.id"], name=op.f("fk_steps_execution_id")),
        sa.PrimaryKeyConstraint("execution_id", "step_id", name=op.f("pk_steps")),
    )


def downgrade() -> None:
    op.drop_table("steps")
    op.drop_table("questions")
    op.drop_index("ix_llm_calls_started_at", table_name="llm_calls")
    op.drop_index("ix_llm_calls_execution_id_step_id", table_name="llm_calls")
    op.drop_table("llm_calls")
    op.drop_index("ix_findings_execution_id", table_name="findings")
    op.drop_table("findings")
    op.drop_table("events")
    op.drop_index("ix_decisions_execution_id", table_name="decisions")
    op.drop_table("decisions")
    op.drop_index("ix_executions_status", table_name="executions")
    op.drop_index("ix_executions_project_id_created_at", table_name="executions")
    op.drop_table("executions")
    op.drop_index("ix_documents_execution_id", table_name="documents")
    op.drop_table("documents")
    op.drop_table("daily_spending")
    op.drop_table("projects")
    op.drop_table("executors")
    op.drop_table("blobs")
