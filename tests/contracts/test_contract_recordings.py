"""Recordings: the form in which they are written, and old ones in the tree, which must stay readable."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from command_line import Cli
from played import gated_workflow
from shapes import pinned, shape, steady

from combine.execution.recording import read_recording_file, write_recording

STORED = sorted((Path(__file__).parents[1] / "data" / "recordings").glob("*.json.gz"))
"""Written by version 0.1.0 of the program; never to be written again."""

pytestmark = pytest.mark.timeout(300)  # includes the shared fixture `played`


def test_the_form_of_a_recording(played, tmp_path):
    made = []
    for cli, execution in played.recorded():
        first, second = tmp_path / f"{execution}.json", tmp_path / f"{execution}.json.gz"
        for file in (first, second):
            written = cli.here("record", execution, "--out", str(file))
            assert written.code == 0, written.err
        text = first.read_text(encoding="utf-8")
        made.append(json.loads(text))
        assert text == json.dumps(made[-1], ensure_ascii=False, sort_keys=True, indent=1) + "\n"
        assert gzip.decompress(second.read_bytes()).decode() == text
    assert {(one["format"], one["version"]) for one in made} == {("combine-recording", 1)}
    pinned("recording", shape(*({**one, "events": steady(one["events"])} for one in made)))


def test_every_execution_replays(played):
    for cli, execution in played.recorded():
        report = cli.here("replay", execution, "--json").json
        assert (report["identical"], report["other_prompts"], report["other_questions"]) == (True, [], [])


@pytest.fixture(params=STORED, ids=lambda file: file.name.partition(".")[0])
def stored(request) -> Path:
    return request.param


@pytest.fixture
def report(stored, tmp_path):
    """Of its replay, without a database."""
    nowhere = Cli(tmp_path, "postgresql://127.0.0.1:1/nothing", tmp_path)
    told = nowhere.here("replay", str(stored), "--json", COMBINE_WORKFLOWS_DIR=str(gated_workflow(tmp_path / "own")))
    assert told.code == 0, told.out + told.err
    return told.json


def test_a_stored_recording_gives_the_same_documents(stored, report):
    recorded = json.loads(gzip.decompress(stored.read_bytes()))
    made = [one for one in recorded["documents"] if one["execution_id"] == recorded["execution_id"]]
    assert {one["id"]: one["content_sha256"] for one in made} == {
        one["id"]: one["rebuilt_sha256"] for one in report["documents"]
    }
    assert (report["identical"], report["other_questions"]) == (True, [])


def test_a_stored_recording_gives_the_same_prompts(report):
    """Delete this test when the wording of prompts changes; the test of the documents must stay."""
    assert report["prompts"] > 0
    assert report["other_prompts"] == []


def test_a_stored_recording_is_written_again_as_it_was(stored):
    data = stored.read_bytes()
    assert write_recording(read_recording_file(data, stored.name), compress=False) == gzip.decompress(data)
