"""A database that cannot work is rejected at the start, with what is wrong and what to do, before anything is paid."""

from urllib.parse import quote

import psycopg
import pytest

from combine.errors import Invalid
from combine.storage.core.urls import libpq_url
from combine.storage.server.embedded import start_embedded
from combine.storage.server.fitness import inspect
from combine.storage.server.migrate import current_version, upgrade

MAKE = {
    "latin1": "CREATE DATABASE unfit ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'",
    "no encoding": "CREATE DATABASE unfit ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'",
}


@pytest.fixture
def own(data_dir):
    """Runs SQL on a server of the test's own; the URL of one of its databases, for a role."""

    class Own:
        url = start_embedded(data_dir).url

        def run(self, *statements, database="combine"):
            with psycopg.connect(self.of(database), autocommit=True) as connection:
                for statement in statements:
                    connection.execute(statement)

        def of(self, database, role="combine"):
            return libpq_url(self.url).replace("combine@/combine", f"{quote(role)}@/{quote(database)}")

    return Own()


@pytest.mark.parametrize(
    ("statements", "named", "does"),
    [
        ([MAKE["latin1"]], "LATIN1", "ENCODING 'UTF8'"),
        ([MAKE["no encoding"]], "SQL_ASCII", "ENCODING 'UTF8'"),
        (
            ["CREATE DATABASE unfit", "ALTER DATABASE unfit SET default_transaction_read_only = on"],
            "read-only",
            "default_transaction_read_only = off",
        ),
        (["CREATE DATABASE unfit", "ALTER DATABASE unfit SET search_path = nowhere"], "search_path", "CREATE SCHEMA"),
    ],
    ids=["latin1", "no encoding", "read-only", "no schema"],
)
async def test_what_a_database_must_be(own, statements, named, does):
    own.run(*statements)
    for check in (upgrade, current_version):
        with pytest.raises(Invalid) as caught:
            await check(own.of("unfit"))
        assert caught.value.code == "database_unsuitable"
        assert named in caught.value.message
        assert does in caught.value.hint


async def test_each_right_that_is_missing_is_named_with_its_grant_until_it_works(own):
    own.run('CREATE ROLE "Ann B" LOGIN', "CREATE DATABASE shared")
    url = own.of("shared", "Ann B")
    for grant in ('GRANT CREATE ON SCHEMA public TO "Ann B";', 'GRANT CREATE ON DATABASE shared TO "Ann B";'):
        with pytest.raises(Invalid, match='"Ann B"') as caught:
            await upgrade(url)
        assert caught.value.hint.endswith(grant)
        own.run(grant, database="shared")
    assert await upgrade(url)
    found = await inspect(url)
    assert (found.may_write, found.is_migrated) == (True, True)
    own.run("CREATE ROLE reader LOGIN", "GRANT USAGE ON SCHEMA public TO reader", database="shared")
    own.run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", database="shared")
    with pytest.raises(Invalid, match="write to the tables"):
        await upgrade(own.of("shared", "reader"))


async def test_a_role_without_any_right_is_told_the_grants(own):
    await upgrade(own.of("combine"))
    own.run("CREATE ROLE nobody_yet LOGIN")
    with pytest.raises(Invalid, match="write to the tables") as caught:
        await upgrade(own.of("combine", "nobody_yet"))
    assert "GRANT SELECT, INSERT, UPDATE, DELETE" in caught.value.hint
