"""What tests of graders share: the server that answers those that ask."""

from collections.abc import Iterator

import pytest

from tests.studio.graders.server import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.shutdown()
    started.server_close()
