"""What ``engine/dbos_private.py`` takes for granted of DBOS. If one of these fails, DBOS has changed."""

import inspect
from importlib.metadata import version

import dbos
import pytest
from dbos._dbos import DBOS
from dbos._schemas.system_database import SystemSchema
from dbos._sys_db import SystemDatabase

from combine.engine import dbos_private


def test_the_pinned_version_is_the_one_whose_insides_we_know():
    assert version("dbos") == "3.4.0"
    assert dbos.DBOS is DBOS


@pytest.mark.parametrize(
    "column",
    ["workflow_uuid", "status", "owner_xid", "executor_id", "queue_name", "name", "started_at_epoch_ms", "updated_at"],
)
def test_the_columns_that_fence_and_recovery_use(column):
    assert column in SystemSchema.workflow_status.c


def test_recovery_into_a_queue():
    assert list(inspect.signature(SystemDatabase.reenqueue_for_recovery).parameters) == [
        "self",
        "workflow_id",
        "executor_ids",
        "recovery_queue_name",
    ]


def test_arguments_come_back_from_json_as_dbos_wants_them():
    serializer = dbos_private.JsonSerializer()
    arguments = {"args": ("b6f9", 3), "kwargs": {}}
    assert serializer.deserialize(serializer.serialize(arguments)) == arguments


def test_a_claim_outside_a_segment_is_an_error():
    with pytest.raises(RuntimeError, match="not inside"):
        dbos_private.current_claim()
