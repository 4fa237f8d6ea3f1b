"""The tables. SQLAlchemy Core; every query lives in this room."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSON, JSONB, UUID

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

_now = sa.text("clock_timestamp()")
_time = sa.DateTime(timezone=True)
_usd = sa.Numeric(14, 6)

projects = sa.Table(
    "projects",
    metadata,
    sa.Column("id", UUID(as_uuid=True), primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("budget_usd", _usd),
    sa.Column("reserved_usd", _usd, nullable=False, server_default="0"),
    sa.Column("spent_usd", _usd, nullable=False, server_default="0"),
    sa.Column("created_at", _time, nullable=False, server_default=_now),
)

compatibility = sa.Table(
    "compatibility",
    metadata,
    sa.Column("oldest_revision", sa.Text, nullable=False),
    comment="One row. A migration that removes something that older versions use sets it to its own revision.",
)

daily_spending = sa.Table(
    "daily_spending",
    metadata,
    sa.Column("day", sa.Date, primary_key=True, comment="in UTC; a call counts on the day it began"),
    sa.Column("reserved_usd", _usd, nullable=False, server_default="0"),
    sa.Column("spent_usd", _usd, nullable=False, server_default="0"),
    comment="Spending of the whole installation. Free calls are not included.",
)

documents = sa.Table(
    "documents",
    metadata,
    sa.Column("id", UUID(as_uuid=True), primary_key=True),
    sa.Column("project_id", UUID(as_uuid=True), sa.ForeignKey("projects.id"), nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("content", JSONB, nullable=False),
    sa.Column("ordered_content", JSON, comment="content with its keys in order; null if stored by an older version"),
    sa.Column("content_sha256", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False, comment="model, offline, or person"),
    sa.Column("execution_id", UUID(as_uuid=True)),
    sa.Column("step_id", sa.Text),
    sa.Column("revision", sa.Integer),
    sa.Column("attempt", sa.Integer),
    sa.Column("call_ids", ARRAY(UUID(as_uuid=True)), nullable=False, server_default="{}"),
    sa.Column("input_ids", ARRAY(UUID(as_uuid=True)), nullable=False, server_default="{}"),
    sa.Column("prompt_sha256", sa.Text),
    sa.Column("assets", JSONB, nullable=False, server_default="{}", comment="prompt files and schema by SHA-256"),
    sa.Column("model", sa.Text),
    sa.Column("created_at", _time, nullable=False, server_default=_now),
    sa.UniqueConstraint("project_id", "type", "version"),
    sa.Index("ix_documents_execution_id", "execution_id"),
    sa.Index("ix_documents_created_at_id", "created_at", "id"),
    comment="One row is one immutable version; the brief is stored here too (type 'brief').",
)

executions = sa.Table(
    "executions",
    metadata,
    sa.Column("id", UUID(as_uuid=True), primary_key=True),
    sa.Column("project_id", UUID(as_uuid=True), sa.ForeignKey("projects.id"), nullable=False),
    sa.Column("workflow_id", sa.Text, nullable=False),
    sa.Column("workflow_version", sa.Text, nullable=False),
    sa.Column("definition", JSONB, nullable=False, comment="the workflow as it was at the start"),
    sa.Column("brief_id", UUID(as_uuid=True), sa.ForeignKey("documents.id"), nullable=False),
    sa.Column("model", sa.Text, nullable=False, comment="PROVIDER:MODEL"),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, comment="why it is waiting or has failed, for people"),
    sa.Column("reason_code", sa.Text),
    sa.Column("waits_for", sa.Text, comment="the unavailable provider; in a probe, the one it retries"),
    sa.Column("next_try_at", _time, comment="time of the next retry; null in a probe"),
    sa.Column(
        "tries", sa.Integer, nullable=False, server_default="0", comment="consecutive failures; 0: it works again"
    ),
    sa.Column("round", sa.Integer, nullable=False, server_default="1", comment="number of the current segment"),
    sa.Column("seq", sa.BigInteger, nullable=False, server_default="0", comment="number of the last event"),
    sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
    sa.Column("ask", sa.Boolean, nullable=False, server_default=sa.true(), comment="false: use the defaults"),
    sa.Column("given_answers", JSONB, nullable=False, server_default="{}"),
    sa.Column("forked_from", UUID(as_uuid=True), sa.ForeignKey("executions.id"), comment="whose results it reuses"),
    sa.Column(
        "previous_ids",
        ARRAY(UUID(as_uuid=True)),
        comment="active versions when it began, or those of its source when it was forked; null: not begun",
    ),
    sa.Column(
        "used_before", JSONB, comment="[type, prefix, highest number] of all IDs used in the project before it began"
    ),
    sa.Column("budget_usd", _usd),
    sa.Column(
        "allow_unpriced", sa.Boolean, nullable=False, server_default=sa.false(), comment="allow calls of unknown price"
    ),
    sa.Column("reserved_usd", _usd, nullable=False, server_default="0"),
    sa.Column("spent_usd", _usd, nullable=False, server_default="0"),
    sa.Column("created_at", _time, nullable=False, server_default=_now),
    sa.Column("updated_at", _time, nullable=False, server_default=_now),
    sa.Column("finished_at", _time),
    sa.Column("request_id", sa.Text, comment="the HTTP request that last continued it"),
    sa.Index("ix_executions_project_id_created_at", "project_id", "created_at"),
    sa.Index("ix_executions_created_at_id", "created_at", "id"),
    sa.Index("ix_executions_status", "status"),
    sa.Index("ix_executions_waits_for", "waits_for", postgresql_where=sa.text("waits_for IS NOT NULL")),
)

steps = sa.Table(
    "steps",
    metadata,
    sa.Column("execution_id", UUID(as_uuid=True), sa.ForeignKey("executions.id"), primary_key=True),
    sa.Column("step_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0", comment="finished attempts of this revision"),
    sa.Column("question_rounds", sa.Integer, nullable=False, server_default="0"),
    sa.Column("document_id", UUID(as_uuid=True), comment="the latest version of this step"),
    sa.Column("accepted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("guidance", sa.Text, comment="a person's guidance for this revision"),
    sa.Column("reason", sa.Text, comment="why it is waiting or has failed"),
    sa.Column("reason_code", sa.Text),
    sa.Column("started_at", _time),
    sa.Column("finished_at", _time),
)

findings = sa.Table(
    "findings",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("execution_id", UUID(as_uuid=True), sa.ForeignKey("executions.id"), nullable=False),
    sa.Column("step_id", sa.Text, nullable=False, comment="the step whose reply was checked, or the review step"),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("item", sa.Text),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("found", sa.Text),
    sa.Column("expected", sa.Text),
    sa.Column("created_at", _time, nullable=False, server_default=_now),
    sa.Index("ix_findings_execution_id", "execution_id"),
)

questions = sa.Table(
    "questions",
    metadata,
    sa.Column("execution_id", UUID(as_uuid=True), sa.ForeignKey("executions.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, comment="3 for Q-3"),
    sa.Column("step_id", sa.Text, nullable=False),
    sa.Column("round", sa.Integer, nullable=False, comment="1 or 2, within the step"),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("answer_type", sa.Text, nullable=False),
    sa.Column("choices", JSONB, nullable=False, server_default="[]"),
    sa.Column("default_answer", sa.Text, nullable=False),
    sa.Column("required", sa.Boolean, nullable=False),
    sa.Column("answer", sa.Text),
    sa.Column("decided_by", sa.Text),
    sa.Column("assumption_id", sa.Text),
    sa.Column("asked_at", _time, nullable=False, server_default=_now),
    sa.Column("answered_at", _time),
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("execution_id", UUID(as_uuid=True), sa.ForeignKey("executions.id"), nullable=False),
    sa.Column("step_id", sa.Text),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("document_id", UUID(as_uuid=True)),
    sa.Column("created_at", _time, nullable=False, server_default=_now),
    sa.Index("ix_decisions_execution_id", "execution_id"),
)

blobs = sa.Table(
    "blobs",
    metadata,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("body", BYTEA, nullable=False),
    comment="Rendered prompts and raw replies, content-addressed.",
)

llm_calls = sa.Table(
    "llm_calls",
    metadata,
    sa.Column("id", UUID(as_uuid=True), primary_key=True),
    sa.Column("execution_id", UUID(as_uuid=True), sa.ForeignKey("executions.id"), nullable=False),
    sa.Column("step_id", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False, comment="the requested model"),
    sa.Column("model_answered", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("prompt_sha256", sa.Text, nullable=False),
    sa.Column("input_sha256", sa.Text, comment="what the prompt was rendered from; null if stored by an older version"),
    sa.Column("reply_sha256", sa.Text),
    sa.Column("stop_reason", sa.Text),
    sa.Column("stop_detail", sa.Text),
    sa.Column("provider_request_id", sa.Text),
    sa.Column("transport_attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("input_tokens", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("output_tokens", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("cache_read_tokens", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("cache_write_tokens", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("reserved_usd", _usd),
    sa.Column("cost_usd", _usd),
    sa.Column("price_source", sa.Text),
    sa.Column("error_code", sa.Text),
    sa.Column("error_message", sa.Text),
    sa.Column("started_at", _time, nullable=False, server_default=_now),
    sa.Column("finished_at", _time),
    sa.Column("request_id", sa.Text, comment="the HTTP request that caused it"),
    sa.Index("ix_llm_calls_execution_id_step_id", "execution_id", "step_id"),
    sa.Index("ix_llm_calls_started_at", "started_at"),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("execution_id", UUID(as_uuid=True), sa.ForeignKey("executions.id"), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True),
    sa.Column("at", _time, nullable=False, server_default=_now),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("step_id", sa.Text),
    sa.Column("data", JSONB, nullable=False, server_default="{}"),
    sa.Column("request_id", sa.Text, comment="the HTTP request that caused it"),
)

executors = sa.Table(
    "executors",
    metadata,
    sa.Column("id", sa.Text, primary_key=True, comment="new at every process start"),
    sa.Column("kind", sa.Text, nullable=False, comment="cli, worker or serve"),
    sa.Column("queue", sa.Text, nullable=False, comment="the queue it takes segments from"),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("started_at", _time, nullable=False, server_default=_now),
    sa.Column("beat_at", _time, nullable=False, server_default=_now),
)

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", UUID(as_uuid=True), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, comment="in lower case; null: the user of local mode"),
    sa.Column("role", sa.Text, nullable=False, server_default="member", comment="in the installation: admin or member"),
    sa.Column("disabled_at", _time),
    sa.Column("created_at", _time, nullable=False, server_default=_now),
    sa.UniqueConstraint("email"),
)

identities = sa.Table(
    "identities",
    metadata,
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("user_id", UUID(as_uuid=True), sa.ForeignKey("users.id"), nullable=False),
    sa.Column("provider", sa.Text, nullable=False, comment="its name in the settings"),
    sa.Column("email", sa.Text, comment="verified by the provider, in lower case"),
    sa.Column("created_at", _time, nullable=False, server_default=_now),
    sa.Column("last_used_at", _time, nullable=False, server_default=_now),
    sa.Index("ix_identities_user_id", "user_id"),
    comment="A user's account at a provider. Users are never looked up by address alone.",
)

sign_ins = sa.Table(
    "sign_ins",
    metadata,
    sa.Column("state_sha256", sa.Text, primary_key=True),
    sa.Column("browser_sha256", sa.Text, nullable=False, comment="of the cookie of the browser that started it"),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("nonce", sa.Text, nullable=False),
    sa.Column("code_verifier", sa.Text, nullable=False),
    sa.Column("next_path", sa.Text, nullable=False),
    sa.Column("link_user_id", UUID(as_uuid=True), sa.ForeignKey("users.id"), comment="link the identity to this user"),
    sa.Column("created_at", _time, nullable=False, server_default=_now),
    comment="Sign-ins in progress; each can be used once.",
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", UUID(as_uuid=True), primary_key=True),
    sa.Column("secret_sha256", sa.Text, nullable=False, unique=True),
    sa.Column("user_id", UUID(as_uuid=True), sa.ForeignKey("users.id"), nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("user_agent", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", _time, nullable=False, server_default=_now),
    sa.Column("last_seen_at", _time, nullable=False, server_default=_now),
    sa.Column("expires_at", _time, nullable=False, comment="even if it is in use"),
    sa.Index("ix_sessions_user_id", "user_id"),
)

api_tokens = sa.Table(
    "api_tokens",
    metadata,
    sa.Column("id", UUID(as_uuid=True), primary_key=True),
    sa.Column("user_id", UUID(as_uuid=True), sa.ForeignKey("users.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("secret_sha256", sa.Text, nullable=False, unique=True),
    sa.Column("hint", sa.Text, nullable=False, comment="its last four characters"),
    sa.Column("scope", sa.Text, nullable=False, comment="read, run or admin; each includes the ones before it"),
    sa.Column("created_at", _time, nullable=False, server_default=_now),
    sa.Column("expires_at", _time, nullable=False),
    sa.Column("last_used_at", _time),
    sa.Column("revoked_at", _time),
    sa.Index("ix_api_tokens_user_id", "user_id"),
)

project_members = sa.Table(
    "project_members",
    metadata,
    sa.Column("project_id", UUID(as_uuid=True), sa.ForeignKey("projects.id"), primary_key=True),
    sa.Column("user_id", UUID(as_uuid=True), sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("role", sa.Text, nullable=False, comment="viewer, editor or owner"),
    sa.Column("created_at", _time, nullable=False, server_default=_now),
    sa.Index("ix_project_members_user_id", "user_id"),
)

invitations = sa.Table(
    "invitations",
    metadata,
    sa.Column("id", UUID(as_uuid=True), primary_key=True),
    sa.Column("project_id", UUID(as_uuid=True), sa.ForeignKey("projects.id"), nullable=False),
    sa.Column("email", sa.Text, nullable=False, comment="in lower case"),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("invited_by", UUID(as_uuid=True), comment="null: from the command line"),
    sa.Column("created_at", _time, nullable=False, server_default=_now),
    sa.Column("expires_at", _time, nullable=False),
    sa.Column("accepted_at", _time),
    sa.Column("accepted_by", UUID(as_uuid=True)),
    sa.Column("revoked_at", _time, comment="revoked by an owner, or declined"),
    sa.Index("ix_invitations_email", "email"),
    sa.Index("ix_invitations_project_id", "project_id"),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("at", _time, nullable=False, server_default=_now),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("user_id", UUID(as_uuid=True), comment="who did it; null: from the command line"),
    sa.Column("token_id", UUID(as_uuid=True), comment="the token used, if any"),
    sa.Column("project_id", UUID(as_uuid=True)),
    sa.Column("object", sa.Text, comment="ID of the object that was changed"),
    sa.Column("data", JSONB, nullable=False, server_default="{}"),
    sa.Column("request_id", sa.Text),
    sa.Index("ix_audit_project_id", "project_id"),
    comment="Changes to permissions, acceptances, edits, overrides. Rows are only added.",
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("user_id", UUID(as_uuid=True), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("request_sha256", sa.Text, nullable=False),
    sa.Column("execution_id", UUID(as_uuid=True), nullable=False),
    sa.Column("created_at", _time, nullable=False, server_default=_now),
    comment="One execution per user and key, however often the request is repeated.",
)
