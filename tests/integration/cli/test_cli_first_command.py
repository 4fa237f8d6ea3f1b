"""The first command works in any folder, with any password and any database name, and repeats nothing secret."""

from urllib.parse import quote

import psycopg
import pytest
from command_line import Cli

from combine.storage.core.urls import libpq_url
from combine.storage.server.embedded import start_embedded, stop_embedded

PASSWORD = "two words + plus%20@/?#:'\"\\"


@pytest.mark.parametrize("name", ["a b", "a+b", "a%20b", "it's", "a,b", 'a"b', "Größe 日本", "-o x=1", "$HOME `id` \\"])
def test_any_folder_can_hold_the_data(data_dir, bytecode, name):
    folder = data_dir / name
    folder.mkdir(parents=True)
    try:
        listed = Cli(folder, "", bytecode)("list")
        assert (listed.code, listed.err) == (0, "creating the database\n")
    finally:
        stop_embedded(folder / "data")


@pytest.mark.parametrize("options", ["", "?options=-c%20statement_timeout%3D60000", "?application_name=a%20b+c"])
def test_an_own_server_with_an_odd_role_password_and_name(data_dir, tmp_path, bytecode, options):
    server = start_embedded(data_dir)
    with psycopg.connect(libpq_url(server.url), autocommit=True) as connection:
        literal = connection.execute("SELECT quote_literal(%s)", [PASSWORD]).fetchone()[0]
        connection.execute(f"""CREATE ROLE "my role" LOGIN PASSWORD {literal}""")
        connection.execute('CREATE DATABASE "my %db+" OWNER "my role"')
    socket = f"host={quote(str(data_dir / 'postgres'), safe='')}&port=5432"
    secret = f"{quote('my role')}:{quote(PASSWORD, safe='')}"
    url = f"postgresql://{secret}@/{quote('my %db+')}{options}{'&' if options else '?'}{socket}"
    cli = Cli(tmp_path, url, bytecode)
    run = cli("run", cli.brief, "--model", "offline", "--no-questions")
    assert run.code == 0, run.err
    doctor = cli("doctor")
    assert doctor.code == 0, doctor.out
    wrong = cli("list", COMBINE_DATABASE_URL=url.replace("5432", "1"))
    assert wrong.code == 1
    for said in (run, doctor, wrong):
        assert "plus" not in said.out + said.err
        assert "two" not in said.err


@pytest.mark.parametrize("folder", ["/dev/null/data", "a file", "a file/below"])
def test_doctor_names_a_data_folder_that_cannot_be_made(cli, tmp_path, folder):
    (tmp_path / "a file").touch()
    named = folder if folder.startswith("/") else str(tmp_path / folder)
    found = cli.here("doctor", COMBINE_DATABASE_URL="", COMBINE_DATA_DIR=named)
    assert found.code == 1
    assert "Not a directory" in found.out
    assert "COMBINE_DATA_DIR" in found.out
