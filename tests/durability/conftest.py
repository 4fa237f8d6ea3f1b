from collections.abc import Iterator

import pytest
from counting_llm import CountingProvider
from crew import Workers


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    started = Workers()
    yield started
    started.close()


@pytest.fixture
def counting() -> Iterator[CountingProvider]:
    provider = CountingProvider()
    with provider.fake:
        yield provider
