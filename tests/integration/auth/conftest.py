import pytest
from oidc_provider import oidc_provider
from own_issuer import new_key, own_issuer
from town import Door, Town, config_of


@pytest.fixture(scope="session")
def signing_key():
    return new_key()


@pytest.fixture
def issuer(signing_key):
    with own_issuer(signing_key) as running:
        yield running


@pytest.fixture
def another_issuer(signing_key):
    with own_issuer(signing_key) as running:
        yield running


@pytest.fixture(scope="session")
def provider_process():
    with oidc_provider() as running:
        yield running


@pytest.fixture
def door(database, issuer):
    return Door(database, (config_of(issuer),))


@pytest.fixture
def door_of(database):
    def make(*configs, **more):
        return Door(database, configs, **more)

    return make


@pytest.fixture
def town(database):
    return Town(database)
