"""From one library to another by the file of each program: the same beats, cues and playlists."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from pkgutil import iter_modules

import numpy as np
import pytest
from exchange_shop import Shop
from house import prep_context, song
from open_library import in_asyncio, runner  # noqa: F401 - a fixture, found by its name

from sfa_engine import interchange
from sfa_engine.interchange.record import GRID_RATE, Collection, List, Record
from sfa_engine.interchange.registry import FORMATS
from sfa_engine.library import cues, grids, playlists
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Anchor, Grid

MODULES = {each.name for each in iter_modules(interchange.__path__)}
BOTH_WAYS = [
    name
    for name, each in FORMATS.items()
    if each.reads and each.writes and each.module in MODULES and (each.program or name == "cue")
]
GRID = Grid((Anchor(0.3517 * GRID_RATE, 0.0),), 124.37)
CUES = (
    Cue(0.7513, slot=1, label="in", color="#ff0000"),
    Cue(2.2519, slot=2, label="drop"),
    Cue(3.0077, "loop", 3.5027, slot=3, label="round"),
)
NEAR_S = {"cue": 1 / 75}
FILES = {"engine": "drive", "serato": "copies"}


@pytest.fixture
def shops(
    runner: asyncio.Runner,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[Shop, Shop]]:
    made = [prep_context(tmp_path / name) for name in ("one", "other")]
    yield tuple(Shop(runner.run(each.__aenter__()), monkeypatch) for each in made)
    for each in made:
        runner.run(each.__aexit__(None, None, None))


@pytest.mark.parametrize("name", BOTH_WAYS)
@in_asyncio
async def test_what_a_file_has_place_for_comes_back(
    shops: tuple[Shop, Shop], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shop, other = shops
    form = FORMATS[name]
    (tmp_path / "drive").mkdir()
    file = song(tmp_path / "drive" / "Ann - 100% Caf\u00e9.wav", seconds=8.0)
    record = Record(
        *("1", str(file), "100% Caf\u00e9 & <Co>", "Ann"), grid=GRID, cues=CUES, bpm=124.37,
        musical_key="A minor", rating=4, duration_s=8.0,
    )  # fmt: skip
    with monkeypatch.context() as patch:
        shop._patch = patch
        await shop.read(Collection((record,), (List("Peak", ("House",), ("1",)),)))
    path = tmp_path / FILES.get(name, f"out{form.suffix}")
    done = await shop.export(path, name, mp3_shift="auto")
    assert done["counts"]["tracks"] == 1
    await other.import_(path, format=name, mp3_shift="auto")
    async with other.database.reading() as connection:
        grid = await grids.grid_of(connection, 1)
        found = await cues.cues_of(connection, 1)
        lists = [(each.name, each.tracks) for each in await playlists.playlists(connection)]
    near_s = NEAR_S.get(name, 0.001)
    assert {cue.label for cue in CUES} <= {cue.label for cue in found}
    for cue in CUES:
        here = next(each for each in found if each.label == cue.label)
        assert here.position_s == pytest.approx(cue.position_s, abs=near_s)
        if name != "cue":
            assert (here.end_s or 0.0) == pytest.approx(cue.end_s or 0.0, abs=near_s)
            assert here.slot is not None
    if name != "cue":
        assert grid is not None
        beats = np.arange(0, 992)  # of eight minutes
        apart = grid.grid.frame_of(beats, grid.rate) / grid.rate
        apart -= GRID.frame_of(beats, GRID_RATE) / GRID_RATE
        bar_s = 240.0 / GRID.bpm
        apart -= np.round(apart[0] / bar_s) * bar_s
        assert np.abs(apart).max() < 0.002
        assert [each for each in lists if each[0].startswith("Peak")] == [("Peak", 1)]
    before = await other.tables()
    await other.import_(path, format=name, mp3_shift="auto")
    assert await other.tables() == before
