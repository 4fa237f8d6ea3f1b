"""`combine resume --from`, `record` and `replay`."""

import gzip
import json

import pytest
from scripted_bakery import reply


@pytest.fixture
def done(cli):
    """An execution that has completed."""
    result = cli("run", cli.brief, "--project", "cakes", "--no-questions", "--json")
    assert result.code == 0, result.err
    return result.json["execution_id"]


def test_a_fork_runs_a_step_and_what_follows_anew(cli, done, tmp_path):
    cli.script()
    forked = cli("resume", done, "--from", "architecture", "--json", "--out", str(tmp_path / "out"))
    assert (forked.code, forked.json["status"], forked.json["calls"]) == (0, "completed", 2), forked.err
    assert "forked at architecture; reusing 2 documents" in forked.err
    name = forked.json["execution_id"]
    assert name != done
    assert [(one["type"], one["version"]) for one in forked.json["documents"]] == [
        ("project-discovery", 1),
        ("requirements-doc", 1),
        ("architecture-doc", 2),
        ("strategy-review", 2),
    ]
    assert len(list((tmp_path / "out").iterdir())) == 8
    assert f"Fork of   {done}" in cli.here("show", name).out
    assert cli.here("replay", name).code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "polish"], "discovery, requirements, architecture, review"),
        (["--model", "offline"], "--from STEP"),
        (["--from", "review", "--decision", "cancel"], "--decision"),
        (["--from", "review", "--model", "anthropic:claude-sonnet-5-5"], "ANTHROPIC_API_KEY"),
    ],
)
def test_a_fork_that_cannot_be_is_refused_with_the_next_step(cli, done, arguments, words):
    refused = cli("resume", done, *arguments)
    assert refused.code in {2, 6}
    assert words in refused.err


def test_a_replay_says_that_all_is_the_same(cli, done):
    told = cli.here("replay", done)
    assert told.code == 0, told.err
    assert "Identical: 4 of 4 documents" in told.out
    report = cli.here("replay", done, "--json").json
    assert (report["identical"], report["other_prompts"]) == (True, [])
    assert cli.here("replay", "ffffffff").code == 2


def test_a_recording_is_replayed_without_a_database_and_holds_no_secret(cli, done, tmp_path):
    canaries = ("sk-canary-1", "sk-canary-2", cli.url, str(cli.folder), str(tmp_path))
    keys = {"ANTHROPIC_API_KEY": canaries[0], "OPENAI_API_KEY": canaries[1]}
    down = {"error": {"kind": "transient", "code": "x", "message": f"{cli.folder} {canaries[0]} {cli.url}"}}
    cli.script(architecture_doc=[down, reply("architecture-doc")])
    stopped = cli("resume", done, "--from", "architecture", "--json", **keys)
    assert stopped.json["status"] == "waiting_for_provider"
    for name in (done, stopped.json["execution_id"]):
        file = tmp_path / "recording.json.gz"
        written = cli("record", name, "--out", str(file), "--json", **keys)
        assert written.code == 0, written.err
        text = gzip.decompress(file.read_bytes()).decode()
        assert [canary for canary in canaries if canary in text] == []
        nowhere = {"COMBINE_DATABASE_URL": "postgresql://127.0.0.1:1/nothing"}
        assert cli("replay", str(file), **nowhere).code == 0
    plain = tmp_path / "recording.json"
    assert cli.here("record", done, "--out", str(plain)).code == 0
    recording = json.loads(plain.read_text())
    recording["documents"][3]["content"]["overall_assessment"]["summary"] = "Splendid."
    plain.write_text(json.dumps(recording))
    other = cli.here("replay", str(plain))
    assert other.code == 1
    assert '$.overall_assessment.summary: stored "Splendid.", rebuilt' in other.out
    assert "why: The stored content" in other.out


def test_a_key_in_the_brief_does_not_leave(cli, tmp_path):
    brief = cli.write("brief.md", "The bakery sells cakes. The key is sk-canary-3 and must stay here.\n")
    started = cli("run", brief, "--model", "offline", "--no-questions", "--json")
    file = tmp_path / "out.json"
    refused = cli("record", started.json["execution_id"], "--out", str(file), ANTHROPIC_API_KEY="sk-canary-3")
    assert (refused.code, file.exists()) == (2, False)
    assert "sk-canary-3" not in refused.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no JSON", "JSON"),
        ("[]", "its format is not 'combine-recording'"),
        ('{"format": "combine-recording", "version": 9}', "its version is 9"),
        ('{"format": "combine-recording", "version": 1, "calls": []}', "$.status: Field required"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_by_name(cli, text, words):
    refused = cli.here("replay", cli.write("broken.json", text))
    assert refused.code == 2
    assert words in refused.err
    assert "broken.json" in refused.err


def test_a_file_that_is_not_there(cli):
    assert "nowhere.json" in cli.here("replay", "nowhere.json").err
