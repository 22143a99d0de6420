"""A question over REST whose client leaves is cancelled in backstage."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from proposal_shop import ProposalShop, proposal_shop
from served import WebProcess

from sfa_engine.web import secrets, users
from sfa_engine.web.database import FILE, open_database, transaction
from sfa_engine.web.rights import SCOPES_OF, SYSTEM

pytestmark = pytest.mark.slow
TIMEOUT_S = 60.0


class Web:
    """A web process before a backstage whose agent does what it is told."""

    def __init__(self, shop: ProposalShop, process: WebProcess, token: str) -> None:
        self.shop, self.process = shop, process
        self.fields = {"Authorization": f"Bearer {token}"}

    def post(self, **script: Any) -> Any:
        """Ask, and return a connection whose answer was not read."""
        line = self.process.connect()
        body = json.dumps({"instruction": json.dumps(script), "model": False}).encode()
        head = [
            "POST /api/agents/ask HTTP/1.1",
            f"Host: 127.0.0.1:{self.process.port}",
            *(f"{name}: {value}" for name, value in self.fields.items()),
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        line.sendall("\r\n".join([*head, "", ""]).encode() + body)
        return line


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("left")
    data = folder / "web"
    data.mkdir()
    with closing(open_database(data / FILE)) as connection, transaction(connection):
        made = users.add(connection, SYSTEM, "ann", "admin")
        token = secrets.add_token(connection, made, "t", SCOPES_OF["admin"], None)[0]
    with proposal_shop(folder / "shop") as shop:
        process = WebProcess(shop.house.runtime, data).start()
        try:
            lent = Web(shop, process, token)
            give_up = time.monotonic() + TIMEOUT_S
            with process.client(headers=lent.fields) as client:
                while client.get("/api/agents/list").status_code != 200:
                    assert time.monotonic() < give_up
                    time.sleep(0.05)
            yield lent
        finally:
            process.stop()


def test_a_question_is_cancelled_when_its_client_disconnects(web: Web) -> None:
    for name in ("left1", "left2", "left3"):  # more than may be asked at once
        line = web.post(sleep_s=60.0, output=name)
        time.sleep(0.3)
        line.close()
        give_up = time.monotonic() + TIMEOUT_S
        while name not in web.shop.ask(given={"model": False})["data"]["cancelled"]:
            assert time.monotonic() < give_up
            time.sleep(0.05)


def test_a_client_that_waits_gets_its_answer(web: Web) -> None:
    with web.process.client(headers=web.fields) as client:
        script = json.dumps({"sleep_s": 0.3, "output": "here"})
        said = client.post("/api/agents/ask", json={"instruction": script, "model": False})
    assert (said.status_code, said.json()["output"]) == (200, "here")
