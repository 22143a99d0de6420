"""A real library whose tracks have stems, curves, grids and analyses, made in a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sfa_engine.backstage.mixes.facts import FactsReader
from sfa_engine.library import manifest, sounds, tracks
from sfa_engine.library.analysis import Analysis, Section, StemOrigin, set_stems, store
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.library.tags import Tags
from sfa_engine.mix.sound import MEASURES, VECTOR, VERSION
from sfa_engine.track.curves import FILE, CurvesWriter
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.media import read_bundle

RATE = 8_000
LENGTH_S = 40.0


class MixLibrary:
    """A context of its own, and the reader of its facts."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.reader = FactsReader(context)

    async def add(self, number: int, **tags: Any) -> int:
        given = Tags(**{"title": f"Title {number}", "artist": f"Artist {number}"} | tags)
        async with self.context.database.transaction() as connection:
            track, _ = await tracks.add(connection, f"/m/{number}", tags=given)
        return track.id

    async def prepare(
        self, track: int, *, bpm: float = 120.0, curves: bool = True, length_s: float = LENGTH_S
    ) -> Path:
        """Give a track stems, an analysis, a grid and curves."""
        noise = np.random.default_rng(track).uniform(-0.1, 0.1, (int(length_s * RATE), 2))
        names = ("drums", "bass", "vocals")
        folder = write_bundle_arrays(
            self.context.places.bundles / f"{track}.sfa",
            dict.fromkeys(names, noise.astype(np.float32)),
            title="x",
            artist="y",
            bpm=bpm,
            rate=RATE,
            gain_db=-3.5,
        )
        if curves:
            writer = CurvesWriter()
            rows = int(length_s * 150)
            loud = np.full((int(length_s * 2), 1), -11.0)
            writer.add("loudness", loud, 2.0, (-70.0, 6.0), fine=True)
            for name in ("mix", *names):
                level = np.where(np.arange(rows) < rows // 2, 0.02, 0.8)[:, None] * np.ones(4)
                writer.add(f"peaks/{name}", level, 150.0, (0.0, 1.0), square=True)
            (folder / FILE).write_bytes(writer.file(read_bundle(folder).track.digest))
        async with self.context.database.transaction() as connection:
            await tracks.set_bundle(connection, track, folder.name, length_s)
            await set_stems(connection, track, [StemOrigin(name, "demucs") for name in names])
            found = Analysis(
                "1", bpm=bpm, confidence=0.8, key="A minor", lufs=-11.0, energy=0.6,
                sections=_sections(length_s),
                features={"vocals_s": [[24.0, 30.0]], "confidences": {"bar": 0.7}},
            )  # fmt: skip
            await store(connection, track, found, grid=Grid((Anchor(0.0, 0.0),), bpm), rate=48_000)
            vector = np.arange(VECTOR, dtype="<f4") * track
            measured = np.zeros(len(MEASURES), "<f4").tobytes()
            await sounds.store(connection, track, VERSION, vector.tobytes(), measured)
        # As a preparation ends: else the clean-up, a minute after a start, gives it another gain.
        await manifest.update(self.context.database, self.context.places, track)
        return folder


def _sections(length_s: float) -> tuple[Section, ...]:
    if length_s == LENGTH_S:
        return Section(0.0, 20.0, "intro"), Section(20.0, 40.0, "drop")
    end = length_s - 20.0
    return Section(0.0, 16.0, "intro"), Section(16.0, end, "drop"), Section(end, length_s, "outro")
