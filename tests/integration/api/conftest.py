from collections.abc import AsyncIterator

import pytest
from api_house import HandMoved, until

from combine.services.event_feed import EventFeed
from combine.settings import Settings
from combine.storage.core.listener import EventListener


@pytest.fixture
def moved(database) -> HandMoved:
    return HandMoved(database)


@pytest.fixture
async def listener(database_url) -> AsyncIterator[EventListener]:
    made = EventListener(database_url)
    await made.start()
    await until(lambda: made.is_connected)
    yield made
    await made.close()


@pytest.fixture
async def feed(database, listener) -> AsyncIterator[EventFeed]:
    made = EventFeed(database, listener)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def settings(database_url) -> Settings:
    return Settings(database_url=database_url, llm_default_model="offline")
