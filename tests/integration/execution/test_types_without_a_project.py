"""A document that is named by its type alone: it is the one project's that has it, or a project must be named."""

import pytest
import sqlalchemy as sa
from town import Town

from combine.auth.permissions import OPERATOR, InstanceRole
from combine.errors import Conflict, NotFound
from combine.services.documents import DocumentService

TYPE = "requirements-doc"
MANY = 1001
"""More than any list shows at once."""
VERSIONS = """
INSERT INTO documents (id, project_id, type, version, status, content, content_sha256, origin)
SELECT gen_random_uuid(), :project, :type, n, 'superseded', '{}', '', 'person' FROM generate_series(1, :many) n
"""


class Shops:
    """Projects with versions of one document."""

    def __init__(self, database, catalog):
        self.database, self.catalog, self.town = database, catalog, Town(database)

    async def project(self, name, many, **members):
        project_id = await self.town.project(name, **members)
        statement = sa.text(VERSIONS)
        values = {"project": project_id, "type": TYPE, "many": many}
        await self.database.transact(lambda session: session.connection.execute(statement, values))
        return project_id

    def documents(self, actor=OPERATOR):
        return DocumentService(self.database, self.catalog, actor=actor)


@pytest.fixture
def shops(database, catalog):
    return Shops(database, catalog)


WAYS = ("get", "versions", "diff", "export")
"""Every way to ask for a document."""


async def test_another_project_is_seen_behind_however_many_versions(shops):
    await shops.project("Aalen", 2)
    await shops.project("Berlin", MANY)
    for way in WAYS:
        with pytest.raises(Conflict, match="Aalen, Berlin") as raised:
            await getattr(shops.documents(), way)(TYPE)
        assert raised.value.code == "project_needed"


async def test_projects_of_others_do_not_count(shops):
    reader = await shops.town.person("reader")
    everywhere = await shops.town.person("admin", InstanceRole.ADMIN)
    mine = await shops.project("Aalen", 2, members={reader: "viewer"})
    await shops.project("Berlin", MANY)
    documents = shops.documents(reader)
    got, versions, changes, export = [await getattr(documents, way)(TYPE) for way in WAYS]
    assert {got.document.project, versions[0].project, changes.new.project, export.document.project} == {"Aalen"}
    with pytest.raises(Conflict, match="Aalen, Berlin"):
        await shops.documents(everywhere).get(TYPE)
    await shops.town.run("DELETE FROM project_members WHERE project_id = :mine", mine=mine)
    with pytest.raises(NotFound) as raised:
        await documents.get(TYPE)
    assert raised.value.code == "document_not_found"


async def test_a_project_without_the_type_does_not_count(shops):
    await shops.town.project("Empty")
    await shops.project("Aalen", 2)
    assert (await shops.documents().get(TYPE)).document.project == "Aalen"
    assert (await shops.documents().get(TYPE, "Aalen")).document.version == 2
