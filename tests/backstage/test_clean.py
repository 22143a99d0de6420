"""The clean-up of the night: what cannot be done holds up nothing else."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from sfa_engine.backstage.courtesy import Courtesy
from sfa_engine.backstage.executor import Local
from sfa_engine.backstage.job import Kind, Plan, State
from sfa_engine.backstage.queue import Queue
from sfa_engine.backstage.settings import Settings
from sfa_engine.backstage.steps.clean import Clean
from sfa_engine.backstage.workshop import Workshop
from sfa_engine.errors import LibraryError
from sfa_engine.library import tracks
from sfa_engine.library.database import Database
from sfa_engine.library.places import Places

LONG_AGO_S = time.time() - 40 * 86_400.0


def test_what_cannot_be_cleaned_holds_up_nothing_else(tmp_path: Path) -> None:
    async def main() -> None:
        places = Places(tmp_path, tmp_path / "tracks")
        settings = Settings(tmp_path, places.bundles, tmp_path / "models")
        async with await Database.open(places.database) as database:
            queue = Queue(database, "me")
            local = Local(Courtesy())
            shop = Workshop(settings, places, database, queue, local, local)
            places.trash.mkdir(parents=True)
            async with database.transaction() as connection:
                stuck, _ = await tracks.add(connection, "/stuck.wav")
                (places.trash / f"{stuck.uuid}.sfa").write_text("no folder")
                gone, _ = await tracks.add(connection, "/gone.wav")
                (places.trash / f"{gone.uuid}.sfa").mkdir()
                await connection.execute("UPDATE tracks SET deleted_at = ?", (LONG_AGO_S,))
                for kind in (Kind.ANALYSE, Kind.CLEAN):
                    await queue.add_chain(connection, [Plan(kind)])
                await connection.execute(
                    "UPDATE jobs SET state = 'done', ended_s = ? WHERE kind = 'analyse'",
                    (LONG_AGO_S,),
                )
            places.backups.write_text("no folder")
            (places.bundles / ".sfa-part-00000000-1-0-x.sfa").mkdir()
            (job,) = await queue.list([State.WAITING])
            with pytest.raises(LibraryError, match="cannot write a backup"):
                await Clean(shop)(job, lambda _share, _doing: None)
            assert [each.id for each in await queue.list()] == [job.id]
            assert list(places.bundles.glob(".sfa-part-*")) == []
            assert [each.name for each in places.trash.iterdir()] == [f"{stuck.uuid}.sfa"]
            found = await database.fetch("SELECT id FROM tracks")
            assert [row["id"] for row in found] == [stuck.id]

    asyncio.run(main())
