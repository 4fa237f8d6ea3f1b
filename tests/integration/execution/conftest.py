"""A house for each test: see ``tests/fakes/house.py``."""

import pytest
from house import House

from combine.workflows.catalog import Catalog, load_catalog


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog(None)


@pytest.fixture
def house(database, catalog) -> House:
    return House(database, catalog)
