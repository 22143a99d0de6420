"""The clean-up of the night: what cannot be done holds up nothing else."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from house import prep_context

from sfa_engine.backstage.job import Kind, Plan, State
from sfa_engine.backstage.steps.clean import Clean
from sfa_engine.errors import LibraryError
from sfa_engine.library import tracks

LONG_AGO_S = time.time() - 40 * 86_400.0


def test_what_cannot_be_cleaned_holds_up_nothing_else(tmp_path: Path) -> None:
    async def main() -> None:
        async with prep_context(tmp_path) as context:
            places, database, queue = context.places, context.database, context.queue
            places.trash.mkdir(parents=True)
            async with database.transaction() as connection:
                stuck, _ = await tracks.add(connection, "/stuck.wav")
                (places.trash / f"{stuck.uuid}.sfa").write_text("no folder")
                gone, _ = await tracks.add(connection, "/gone.wav")
                (places.trash / f"{gone.uuid}.sfa").mkdir()
                await connection.execute(
                    "UPDATE tracks SET deleted_at = ?, trashed_s = 40 * 86400", (LONG_AGO_S,)
                )
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
                await Clean(context)(job, lambda _share, _doing: None)
            assert [each.id for each in await queue.list()] == [job.id]
            assert list(places.bundles.glob(".sfa-part-*")) == []
            assert [each.name for each in places.trash.iterdir()] == [f"{stuck.uuid}.sfa"]
            found = await database.fetch("SELECT id FROM tracks")
            assert [row["id"] for row in found] == [stuck.id]

    asyncio.run(main())
