"""The start of an execution in one statement: project, brief, execution, steps and the first event."""

from __future__ import annotations

from combine.brief.brief import BRIEF_TYPE, Brief, brief_to_json
from combine.documents.ordering import content_sha256
from combine.documents.schema_walk import in_schema_order
from combine.records import Execution
from combine.storage.core.database import WriteSession
from combine.storage.core.listener import CHANNEL
from combine.storage.core.statements import Statement
from combine.storage.executions import new_row
from combine.workflows.graph import topological_order

# A project of that name that another transaction stores at this moment is seen by neither branch; then nothing is
# written, and the next statement sees it.
_START = Statement(f"""
-- made: the project, unless there is one of that name
WITH made AS (
  INSERT INTO projects (id, name) VALUES (:project_id, :project) ON CONFLICT (name) DO NOTHING RETURNING id
),
-- project: the one that was made, or the one that was there
project AS (
  SELECT id FROM made UNION ALL SELECT id FROM projects WHERE name = :project LIMIT 1
),
-- same: the active brief of the project, and whether it has the same text
same AS (
  SELECT d.id, d.content ->> 'text' = :brief_text AS text FROM documents d, project
  WHERE d.project_id = project.id AND d.type = '{BRIEF_TYPE}' AND d.status = 'active'
  ORDER BY d.version DESC LIMIT 1
),
-- replaced: an active brief with another text is superseded
replaced AS (
  UPDATE documents SET status = 'superseded' WHERE id = (SELECT id FROM same WHERE NOT text)
),
-- brief: a new version, unless the text is the same; two starts may race for its number, and one is run again
brief AS (
  INSERT INTO documents (id, project_id, type, version, status, content, ordered_content, content_sha256,
    origin)
  SELECT :brief_id, project.id, '{BRIEF_TYPE}',
    (SELECT coalesce(max(version), 0) + 1 FROM documents WHERE project_id = project.id AND type = '{BRIEF_TYPE}'),
    'active', cast(:brief AS jsonb), :brief, :brief_sha256, 'person'
  FROM project WHERE NOT EXISTS (SELECT 1 FROM same WHERE text)
  RETURNING id
),
-- execution: once, also if the commit's answer was lost and this runs again; nothing below without it
execution AS (
  INSERT INTO executions (id, project_id, workflow_id, workflow_version, definition, brief_id, model, status, seq, ask,
    given_answers, budget_usd, allow_unpriced, request_id)
  SELECT :execution_id, project.id, :workflow_id, :workflow_version, :definition,
    coalesce((SELECT id FROM brief), (SELECT id FROM same)), :model, 'queued', 1, :ask, :given_answers, :budget_usd,
    :allow_unpriced, cast(:request_id AS text)
  FROM project ON CONFLICT DO NOTHING RETURNING id
),
-- step: all of them, in the order of the workflow
step AS (
  INSERT INTO steps (execution_id, step_id, position, status)
  SELECT execution.id, step_id, place - 1, 'pending'
  FROM execution, unnest(cast(:step_ids AS text[])) WITH ORDINALITY AS given (step_id, place)
),
-- event: the first one, so its number is known
event AS (
  INSERT INTO events (execution_id, seq, kind, data, request_id)
  SELECT id, 1, 'execution_queued', jsonb_build_object('workflow', cast(:workflow_id AS text)),
    cast(:request_id AS text) FROM execution
  RETURNING execution_id, seq
)
SELECT project.id, (SELECT pg_notify('{CHANNEL}', execution_id || ' ' || seq) FROM event) FROM project
""")  # noqa: S608 - only constants are formatted in


async def store_start(session: WriteSession, new: Execution, brief: Brief) -> None:
    """Store an execution and all it needs in the caller's transaction. Idempotent.

    Its project is found by name, and its brief by text; ``project_id`` and ``brief_id`` are for those not found.
    Two concurrent starts may choose the same version number for their briefs; the loser's transaction must be retried.
    """
    content = brief_to_json(brief)
    values = new_row(new) | {
        "execution_id": new.id,
        "project": new.project,
        "brief": in_schema_order(content, {}),  # by name: a brief has no schema
        "brief_text": brief.text,
        "brief_sha256": content_sha256(content),
        "step_ids": [step.step_id for step in topological_order(new.workflow)],
    }
    stored = None
    while stored is None:
        stored = await _START.first(session.connection, **values)
