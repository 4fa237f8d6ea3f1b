"""Invalid input: the right exit code, the place and the next step, never a traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BRIEFS = {
    "missing.txt": (None, "missing.txt"),
    "folder": (..., "directory"),
    "empty.txt": (b" \n", "brief"),
    "binary.txt": (b"\x89PNG\r\n\x1a\n\0\0", "PNG image"),
    "utf16.txt": ("Ein Laden.".encode("utf-16"), "UTF-16"),
    "latin.txt": ("Ein Café braucht Plätze.".encode("latin-1"), "UTF-8"),
    "huge.txt": (b"A sentence about a shop. " * 9000, "204,800 bytes"),
}


@pytest.mark.parametrize("name", BRIEFS)
def test_brief(cli, name):
    content, words = BRIEFS[name]
    if content is ...:
        (cli.folder / name).mkdir()
    elif content is not None:
        cli.write(name, content)
    refused = cli.here("run", str(cli.folder / name))
    assert refused.code == 2
    assert words in refused.err
    assert "Traceback" not in refused.err
    assert refused.out == ""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("run", "{brief}", "--answers", "{folder}/none.yaml"), 2, "/none.yaml"),
        (("run", "{brief}", "--answers", "{folder}/bad.yaml"), 2, "bad.yaml"),
        (("run", "{brief}", "--workflow", "nothing"), 2, "strategy-document"),
        (("run", "{brief}", "--model", "acme:x"), 2, "'acme'"),
        (("run", "{brief}", "--out", "{folder}/bad.yaml/x"), 2, "bad.yaml/x"),
        (("run", "{brief}", "--budget", "-1"), 2, "'--budget': '-1'"),
        (("run", "{brief}", "--budget", "0.0000001"), 2, "'--budget': '0.0000001'"),
        (("projects", "budget", "shop", "0.0000001"), 2, "'0.0000001'"),
        (("projects", "budget", "shop", "99999999"), 2, "'99999999'"),
        (("projects", "budget", "shop", "nan"), 2, "'nan'"),
        (("projects", "budget", "shop", "1e-999999999"), 2, "'1e-999999999'"),
        (("projects", "budget", "shop", "2.5000000000"), 2, "combine projects list"),
        (("run", "{brief}", "--budget", "0"), 2, "'--budget': '0'"),
        (("run",), 2, "BRIEF"),
        (("rum",), 2, "rum"),
        (("show", "0000"), 2, "combine list"),
        (("show", "00"), 2, "00"),
        (("watch", "not-an-id"), 2, "not-an-id"),
        (("docs", "show", "poem"), 2, "'poem'"),
        (("docs", "list", "--type", "poem"), 2, "architecture-doc"),
        (("docs", "list", "--type", "poem", "--json"), 2, "'poem'"),
        (("docs", "list", "--type", "requirements-doc"), 0, "No matching documents"),
        (("docs", "list", "--type", "brief", "--json"), 0, "[]"),
        (("replay", "{folder}/bin.md"), 2, "combine record ID --out FILE"),
        (("docs", "diff", "requirements-doc"), 2, "'requirements-doc'"),
        (("docs", "export"), 2, "--out"),
        (("docs", "show", "poem", "--version", "2147483648"), 2, "'--version'"),
        (("docs", "show", "poem", "--version", "2147483647"), 2, "'poem'"),
        (("docs", "diff", "poem", "--from", "2147483648"), 2, "'--from'"),
        (("docs", "diff", "poem", "--to", "9223372036854775808"), 2, "'--to'"),
        (("docs", "export", "poem", "--version", "2147483648"), 2, "'--version'"),
        (("docs", "export", "poem", "--format", "html"), 2, "'--format'"),
        (("list", "--status", "lost"), 2, "'--status'"),
        (("list", "--limit", "ten"), 2, "'--limit'"),
        (("list", "--limit", "0"), 2, "'--limit'"),
        (("costs", "--by", "moon"), 2, "'--by'"),
        (("costs", "--since", "yesterday"), 2, "'--since': 'yesterday'"),
        (("costs", "--since", "2026-02-30"), 2, "YYYY-MM-DD"),
        (("costs", "--project", "none"), 2, "'none'"),
        (("workflows", "show", "nothing"), 2, "strategy-document"),
        (("workflows", "validate", "{folder}/bad.yaml"), 2, "[not_json]"),
        (("db", "stop"), 2, "COMBINE_DATABASE_URL"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_arguments(module_cli, arguments, code, words):
    module_cli.write("bad.yaml", "Q-1: [unclosed\n")
    module_cli.write("bin.md", b"\xd5\x00\xff")
    filled = [word.format(brief=module_cli.brief, folder=module_cli.folder) for word in arguments]
    refused = module_cli.here(*filled)
    assert refused.code == code
    assert words in refused.err + refused.out
    assert "Traceback" not in refused.err


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (("run", "{brief}", "--project", "a\udcff"), "--project"),
        (("run", "{brief}", "--model", "a\udcff"), "--model"),
        (("run", "{brief}", "--workflow", "a\udcff"), "--workflow"),
        (("list", "--project", "a\udcff"), "--project"),
        (("docs", "list", "--type", "a\udcff"), "--type"),
        (("docs", "show", "a\udcff"), "TYPE|ID"),
        (("reject", "abcdef", "--reason", "a\udcff"), "--reason"),
        (("resume", "abcdef", "--decision", "try-again", "--guidance", "a\udcff"), "--guidance"),
        (("costs", "--project", "a\udcff"), "--project"),
        (("projects", "budget", "a\udcff", "5"), "NAME"),
        (("tokens", "create", "a\udcff"), "NAME"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else value,
)
def test_an_argument_that_is_no_text_is_named(module_cli, arguments, place):
    refused = module_cli.here(*(word.format(brief=module_cli.brief) for word in arguments))
    assert (refused.code, refused.out) == (2, "")
    assert f"Invalid value for '{place}': 'a\\udcff' is not UTF-8 text" in refused.err


def test_names_of_files_may_be_any_bytes(cli):
    brief = cli.folder / os.fsdecode(b"caf\xe9.txt")
    brief.write_bytes(Path(cli.brief).read_bytes())
    out = os.fsdecode(b"out\xff")
    done = cli("run", str(brief), "--model", "offline", "--no-questions", "--json", "--out", out)
    assert (done.code, done.json["project"]) == (0, "caf\ufffd"), done.err
    assert len(list((cli.folder / out).iterdir())) == 8
    for missing in ("run", "replay"):
        refused = cli(missing, os.fsdecode(b"none\xe9.json"))
        assert (refused.code, refused.out) == (2, "")
        assert "none?.json" in refused.err


@pytest.mark.parametrize("name", ["a\x01b.txt", f"{'a' * 121}.txt"])
def test_a_name_of_a_file_that_cannot_name_a_project(cli, name):
    refused = cli.here("run", cli.write(name, "Sell bread."), "--model", "offline")
    assert (refused.code, refused.out) == (2, "")
    assert "--project NAME" in refused.err
    assert "Estimate" not in refused.err  # nothing was begun


def test_a_name_is_the_same_however_its_accents_are_written(cli):
    begun = cli("run", cli.brief, "--project", "Me\u0301m", "--model", "offline", "--no-questions", "--json")
    assert begun.json["project"] == "M\u00e9m"
    for spelling in ("Me\u0301m", "M\u00e9m", " M\u00e9m  "):
        found = cli.here("list", "--project", spelling, "--json")
        assert [one["project"] for one in found.json] == ["M\u00e9m"]


def test_a_recording_that_cannot_be_written(cli):
    begun = cli("run", cli.brief, "--model", "offline", "--no-questions", "--json")
    refused = cli.here("record", begun.json["execution_id"], "--out", "/nonexist/x.json")
    assert refused.code == 2
    assert "/nonexist/x.json" in refused.err
    assert "--out" in refused.err


def test_the_brief_may_come_from_standard_input(cli):
    text = "Our bakery takes about 120 cake orders a week by phone and loses some of them.\n"
    done = cli("run", "-", "--model", "offline", "--no-questions", "--json", given=text)
    assert (done.code, done.json["project"], done.json["cost_usd"]) == (0, "default", 0), done.err
    assert "Drafted offline" in done.err


def test_a_database_that_is_away(cli):
    away = {"COMBINE_DATABASE_URL": "postgresql://u:secret@127.0.0.1:9/x"}
    for command in (("list",), ("doctor",), ("run", cli.brief)):
        refused = cli.here(*command, **away)
        assert refused.code == 1
        assert "127.0.0.1:9/x cannot be reached" in refused.err + refused.out
        assert "secret" not in refused.err + refused.out


def test_settings_with_faults_are_named_together(cli):
    refused = cli.here("list", COMBINE_LOG_FORMAT="xml", COMBINE_DRAIN_GRACE="soon")
    assert refused.code == 2
    assert "COMBINE_LOG_FORMAT" in refused.err
    assert "COMBINE_DRAIN_GRACE" in refused.err


def test_a_misspelt_variable_is_named_beside_the_result(module_cli):
    wrong = {"COMBINE_DATABSE_URL": "postgresql://u:secret@host/x", "COMBINE_COLOUR": "blue"}
    listed = module_cli.here("list", "--json", **wrong)
    assert (listed.code, listed.json) == (0, [])
    colour, database = listed.err.splitlines()
    assert "COMBINE_COLOUR" in colour
    assert "COMBINE_DATABASE_URL" in database
    assert module_cli.here("list", "--json", COMBINE_SMOKE_URL="x", COMBINE_EMPTY="").err == ""


def test_doctor_names_misspelt_variables(module_cli):
    wrong = {"COMBINE_DATABSE_URL": "postgresql://u:secret@host/x", "COMBINE_COLOUR": "blue"}
    near = {"COMBINE_COLOUR": None, "COMBINE_DATABSE_URL": "COMBINE_DATABASE_URL"}
    for at in ({}, {"COMBINE_SERVER": "http://127.0.0.1:9"}):
        page, found = module_cli.here("doctor", **wrong, **at), module_cli.here("doctor", "--json", **wrong, **at)
        assert (page.code, found.code) == (1, 1) if at else (0, 0)
        assert found.json["unknown_variables"] == near
        assert re.search(r"!!  COMBINE_DATABSE_URL.* COMBINE_DATABASE_URL", page.out)
        assert "secret" not in page.out + page.err + found.out + found.err
        assert module_cli.here("doctor", "--json", **at).json["unknown_variables"] == {}


def test_debug_shows_the_traceback_wherever_it_stands(cli):
    assert "Traceback" in cli("show", "0000", "--debug").err


def test_control_c_during_the_first_import_is_quiet(cli):
    (cli.folder / "typer").mkdir()
    cli.write("typer/__init__.py", "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(5)")
    ended = cli("list", PYTHONPATH=str(cli.folder))
    assert (ended.code, ended.out, ended.err) == (130, "", "")


def test_version_and_help(cli):
    assert cli("--version").out.startswith("combine ")
    page = cli.here("--help")
    assert page.code == 0
    assert "Exit codes: 0 completed" in page.out
    assert cli.here("docs").code == 2


def test_the_graph_is_drawn_and_faults_are_listed(cli):
    drawn = cli.here("workflows", "show", "strategy-document").out
    assert "│ architecture (Architect)" in drawn
    wrong = cli.write("wrong.json", '{"workflow_id": "x", "name": "X", "version": "1", "steps": [], "colour": 1}')
    found = cli.here("workflows", "validate", wrong, "--json")
    assert found.code == 2
    assert not found.json["ok"]
    assert {"file", "code", "path", "message"} == set(found.json["faults"][0])
    assert [one["workflow_id"] for one in cli.here("workflows", "list", "--json").json] == ["strategy-document"]


def test_a_folder_without_a_workflow_and_a_link_that_leads_nowhere_are_faults(cli):
    folder = cli.folder / "mine"
    folder.mkdir()
    nothing = cli.here("workflows", "validate", str(folder))
    assert nothing.code == 2
    assert f"{folder}: $: No workflows found: {folder / 'workflows'} does not exist;" in nothing.out
    (folder / "workflows").mkdir()
    assert f"{folder / 'workflows'} contains no *.json files;" in cli.here("workflows", "validate", str(folder)).out
    (folder / "workflows" / "lost.json").symlink_to("elsewhere.json")
    lost = cli.here("workflows", "validate", str(folder))
    assert lost.code == 2
    assert "lost.json: $: Broken link to elsewhere.json;" in lost.out
    assert cli.here("workflows", "list", COMBINE_WORKFLOWS_DIR=str(folder)).code == 2


@pytest.mark.parametrize(
    ("ending", "code", "words"),
    [
        (">&-", 1, "standard output is closed"),
        ("2>&- >&-", 1, ""),
        ("> /dev/full", 1, "No space left on device"),
    ],
)
def test_a_standard_output_that_takes_nothing(cli, ending, code, words):
    done = subprocess.run(
        ["/bin/sh", "-c", f"{Path(sys.executable).parent / 'combine'} workflows list {ending}"],
        capture_output=True,
        env=cli.env(),
        check=False,
    )
    assert done.returncode == code
    assert words in done.stderr.decode()
    assert "Internal error" not in done.stderr.decode()


def test_documents_that_cannot_be_written_in_the_end_are_still_told(cli):
    (cli.folder / "out" / "requirements-doc.md").mkdir(parents=True)
    done = cli("run", cli.brief, "--model", "offline", "--no-questions", "--out", "out", "--json")
    assert done.code == 1
    assert "requirements-doc.md" in done.err
    assert "combine docs export --out DIR" in done.err
    assert done.json["status"] == "completed"
