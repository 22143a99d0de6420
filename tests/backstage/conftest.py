"""A backstage in a process of its own, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from house import House, house

from sfa_engine.wire.blocking import SocketClient


@pytest.fixture
def here(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as lent:
        yield lent


@pytest.fixture
def client(here: House) -> Iterator[SocketClient]:
    with here.start() as lent:
        yield lent
