"""A library of a few tracks, and a backstage whose agent proposes what it is told to."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from house import House, house
from scripted_backstage import PROGRAM

from sfa_engine.library.analysis import Analysis, store
from sfa_engine.library.cues import Cue
from sfa_engine.library.database import Database
from sfa_engine.library.ownership import assign
from sfa_engine.library.places import Places
from sfa_engine.library.tags import Tags
from sfa_engine.library.tracks import add, set_bundle
from sfa_engine.system.runtime_files import BACKSTAGE_SOCKET
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.web.link import Link
from sfa_engine.wire.blocking import SocketClient
from sfa_engine.wire.rights import Actor
from sfa_engine.wire.verbs import SCOPES, Scope

TRACKS, LENGTH_S = 6, 40.0
ANN, BOB = 3, 4  # accounts of role user; the last track is Ann's
# What a proposal may change; `tracks` has the time of the last change, which goes on.
TABLES = ("cues", "unwanted_cues", "grids", "playlists", "playlist_entries")
USER: frozenset[Scope] = frozenset({"read", "propose", "prepare", "library"})


class ProposalShop:
    """The library, its backstage, and a client of it."""

    def __init__(self, here: House) -> None:
        self.house = here
        self.path = Places(here.data, here.bundles).database
        asyncio.run(self._fill())
        self.client: SocketClient = here.start()

    async def _fill(self) -> None:
        async with await Database.open(self.path) as database:
            for number in range(1, TRACKS + 1):
                tags = Tags(title=f"Title {number}", artist="Artist")
                async with database.transaction(durable=False) as connection:
                    track, _ = await add(connection, f"/m/{number}", tags=tags)
                    await set_bundle(connection, track.id, f"{number}.sfa", LENGTH_S)
                    cues = [
                        Cue(0.25, "intro", slot=1, label="first", by_hand=False),
                        Cue(8.25, "drop", slot=2, by_hand=False),
                    ]
                    grid = Grid((Anchor(12_000.0, 0.0),), 120.0)
                    found = Analysis("1", bpm=120.0)
                    await store(connection, track.id, found, grid=grid, rate=48_000, cues=cues)
            async with database.transaction(durable=False) as connection:
                await assign(connection, TRACKS, ANN)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, values).fetchall()

    def write(self, sql: str, *values: Any) -> None:
        """Change the database by hand, as somebody with the file could."""
        with closing(sqlite3.connect(self.path, timeout=10)) as connection, connection:
            connection.execute(sql, values)

    def state(self) -> dict[str, Any]:
        """Return all that proposals can change, exactly."""
        plans = self.house.data / "mixes"
        return {
            **{table: self.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES},  # noqa: S608
            "plans": {each.name: each.read_bytes() for each in sorted(plans.glob("*"))},
        }

    def ask(self, client: SocketClient | None = None, **script: Any) -> dict[str, Any]:
        """Ask the agent; parameters of `agents.ask` come as `given`."""
        given = script.pop("given", {})
        answer: dict[str, Any] = (client or self.client).call(
            "agents.ask", instruction=json.dumps(script), **given
        )
        return answer

    def propose(self, kind: str, *steps: tuple[str, dict[str, Any]], **of: Any) -> int:
        """Have a proposal stored, and return its number."""
        said = self.ask(proposals=[proposal(kind, *steps, **of)], given={"model": False})
        assert said["notes"] == [], said
        (made,) = said["proposals"]
        number: int = made["id"]
        return number

    def call_as(
        self, account: int, verb: str, *, scopes: frozenset[Scope] = USER, **params: Any
    ) -> Any:
        """Call a verb for an account, as the web process does."""

        async def run() -> Any:
            link = Link(self.house.runtime / BACKSTAGE_SOCKET, "backstage", scopes)
            try:
                actor = Actor(account, "user", SCOPES, name={ANN: "ann", BOB: "bob"}[account])
                return await link.call(verb, params, actor=actor)
            finally:
                await link.close()

        return asyncio.run(run())

    def restart(self) -> None:
        """Start backstage again."""
        self.client.close()
        self.client = self.house.start()


def proposal(kind: str, *steps: tuple[str, dict[str, Any]], **of: Any) -> dict[str, Any]:
    """Return a proposal as plain values; its tracks are those of the library by default."""
    return {
        "kind": kind,
        "title": f"some {kind}",
        "reason": "because",
        "steps": [{"verb": verb, "params": params} for verb, params in steps],
        "details": {"kind": kind},
        "tracks": [1, 2, 3],
        **of,
    }


@contextmanager
def proposal_shop(folder: Path) -> Iterator[ProposalShop]:
    """Lend a shop."""
    with house(folder, PROGRAM) as here:
        shop = ProposalShop(here)
        yield shop
        shop.client.close()
