"""A made library for `sfa bench agents`: 24 tracks whose every fact is known before.

Tracks 1 to 5 have stems, curves and sound, and can be mixed; 6 to 8 are tones, whose loudness is
arithmetic: a sine of 997 Hz on both sides has as many LUFS as its peak has dB (BS.1770-5). The
others are rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sfa_engine.backstage.context import PrepContext
from sfa_engine.library import cues, manifest, playlists, sounds, tracks
from sfa_engine.library.analysis import Analysis, Section, StemOrigin, set_stems, store
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.library.cues import Cue
from sfa_engine.library.tags import Tags
from sfa_engine.mix.sound import MEASURES, VECTOR, VERSION
from sfa_engine.track.curves import FILE, CurvesWriter
from sfa_engine.track.grid import Anchor, Grid
from sfa_engine.track.key import KEYS
from sfa_engine.track.media import read_bundle

COUNT = 24
MIXABLE = range(1, 6)
TONES: Mapping[int, float] = {6: -20.0, 7: -9.0, 8: -14.0}  # dB of full scale
RATE, TONE_RATE = 8_000, 48_000
LENGTH_S, TONE_S = 64.0, 12.0
TONE_HZ = 997.0
CURVE_HZ = 150.0
GENRES = ("Techno", "House", "Drum & Bass", "Ambient")
PLAYLIST = "Friday Night"
PLAYLIST_TRACKS = (2, 1, 3)
_TEMPOS = (126.0, 122.0, 172.0, 90.0)
_NAMES = (
    "Halcyon", "Undertow", "Glasshouse", "Two Rivers", "Long Way Down", "Sine Quiet", "Sine Loud",
    "Sine Middle", "Paper Moon", "Copper", "Salt", "Lantern", "Harbour", "Ember", "Northwind",
    "Basalt", "Orchard", "Meridian", "Tundra", "Willow", "Cobalt", "Quarry", "Saffron", "Delta",
)  # fmt: skip
_ARTISTS = ("Wren", "Linnet", "Siskin", "Plover", "Dunlin")
# Each stem of a mixable track, with its level by section, full scale: intro, drop, break, outro.
_LEVELS: Mapping[int, Mapping[str, tuple[float, float, float, float]]] = {
    1: {"drums": (0.5, 0.5, 0.001, 0.5), "bass": (0.001, 0.3, 0.001, 0.001),
        "vocals": (0.001, 0.2, 0.2, 0.001)},
    2: {"drums": (0.5, 0.5, 0.001, 0.5), "bass": (0.001, 0.6, 0.001, 0.001),
        "vocals": (0.001, 0.001, 0.001, 0.001)},
    3: {"drums": (0.3, 0.3, 0.3, 0.3), "bass": (0.2, 0.2, 0.2, 0.2),
        "vocals": (0.001, 0.4, 0.001, 0.001)},
    4: {"drums": (0.4, 0.5, 0.001, 0.4), "bass": (0.001, 0.3, 0.001, 0.001),
        "vocals": (0.001, 0.001, 0.3, 0.001)},
    5: {"drums": (0.2, 0.5, 0.2, 0.2), "bass": (0.001, 0.6, 0.001, 0.001),
        "vocals": (0.001, 0.1, 0.001, 0.001)},
}  # fmt: skip
_VOCALS: Mapping[int, tuple[tuple[float, float], ...]] = {
    1: ((16.0, 30.0), (34.0, 46.0)),
    2: (),
    3: ((18.0, 28.0),),
    4: ((33.0, 47.0),),
    5: ((17.0, 20.0), (21.0, 30.0)),
}
_SECTIONS = (
    ("intro", 0.0, 16.0), ("drop", 16.0, 32.0), ("break", 32.0, 48.0), ("outro", 48.0, 64.0),
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A track as it was made."""

    id: int
    title: str
    artist: str
    genre: str
    year: int
    bpm: float
    key: str
    energy: float
    lufs: float
    confidence: float
    rating: int
    sections: tuple[tuple[str, float, float], ...] = ()
    levels: Mapping[str, tuple[float, float, float, float]] = field(default_factory=dict)
    vocals_s: tuple[tuple[float, float], ...] | None = None
    hand_cues: tuple[tuple[float, int], ...] = ()

    @property
    def name(self) -> str:
        """Artist and title."""
        return f"{self.artist} - {self.title}"


def made_tracks() -> tuple[Made, ...]:
    """Return all tracks of the library."""
    rng = np.random.default_rng(16)
    found = []
    for number in range(1, COUNT + 1):
        kind = 0 if number in MIXABLE else number % len(GENRES)
        bpm = _TEMPOS[kind] + (number % 5) * (1.0 if kind == 0 else 1.5)
        found.append(
            Made(
                id=number,
                title=_NAMES[number - 1],
                artist=_ARTISTS[number % len(_ARTISTS)],
                genre=GENRES[kind],
                year=1990 + number,
                bpm=bpm,
                # Neighbours on the wheel for those that are mixed; the rest are spread.
                key=KEYS[number % 3] if number in MIXABLE else KEYS[7 * number % len(KEYS)],
                energy=round(0.2 + 0.03 * number, 2),
                lufs=TONES.get(number, round(float(rng.uniform(-14, -7)), 1)),
                confidence=0.3 if number in {5, 12} else 0.9,
                rating=number % 6,
                sections=_SECTIONS if number in MIXABLE else (),
                levels=_LEVELS.get(number, {}),
                vocals_s=_VOCALS.get(number),
                hand_cues={2: ((16.0, 1),), 4: ((48.1, 3), (0.05, 8))}.get(number, ()),
            )
        )
    return tuple(found)


async def make_library(context: PrepContext) -> tuple[Made, ...]:
    """Fill a new library; return its tracks, whose numbers are those of the library."""
    found = made_tracks()
    for each in found:
        async with context.database.transaction(durable=False) as connection:
            tags = Tags(title=each.title, artist=each.artist, genre=each.genre, year=each.year)
            track, _ = await tracks.add(connection, f"/made/{each.id}", tags=tags)
            assert track.id == each.id
            await tracks.edit(connection, each.id, rating=each.rating)
        sound = _bundle(context, each)
        async with context.database.transaction(durable=False) as connection:
            if sound is not None:
                name, length_s, stems = sound
                await tracks.set_bundle(connection, each.id, name, length_s)
                await set_stems(connection, each.id, [StemOrigin(s, "demucs") for s in stems])
            await store(
                connection, each.id, _analysis(each),
                grid=Grid((Anchor(0.0, 0.0),), each.bpm), rate=TONE_RATE,
            )  # fmt: skip
            vector = np.random.default_rng(each.id).normal(size=VECTOR).astype("<f4")
            measures = np.zeros(len(MEASURES), "<f4")
            await sounds.store(connection, each.id, VERSION, vector.tobytes(), measures.tobytes())
            for position_s, slot in each.hand_cues:
                await cues.add(connection, each.id, Cue(position_s, slot=slot, label="mine"))
        if sound is not None:
            await manifest.update(context.database, context.places, each.id)
    async with context.database.transaction(durable=False) as connection:
        number = await playlists.create(connection, PLAYLIST)
        await playlists.append(connection, number, list(PLAYLIST_TRACKS))
    return found


def _analysis(each: Made) -> Analysis:
    features: dict[str, Any] = {"confidences": {"bar": each.confidence}}
    if each.vocals_s is not None:
        features["vocals_s"] = [list(span) for span in each.vocals_s]
    return Analysis(
        "1",
        bpm=each.bpm,
        confidence=each.confidence,
        key=each.key,
        lufs=each.lufs,
        peak_dbtp=each.lufs if each.id in TONES else -0.5,
        energy=each.energy,
        sections=tuple(Section(start, end, label) for label, start, end in each.sections),
        features=features,
    )


def _bundle(context: PrepContext, each: Made) -> tuple[str, float, tuple[str, ...]] | None:
    """Write the bundle of a track that has a sound; return its name, length and stems."""
    folder = context.places.bundles / f"{each.id}.sfa"
    names: dict[str, Any] = {"title": each.title, "artist": each.artist, "bpm": each.bpm}
    if each.id in TONES:
        time_s = np.arange(int(TONE_S * TONE_RATE)) / TONE_RATE
        sine = 10 ** (TONES[each.id] / 20) * np.sin(2 * np.pi * TONE_HZ * time_s)
        sound = np.repeat(sine[:, None], 2, axis=1).astype(np.float32)
        write_bundle_arrays(folder, {"mix": sound}, rate=TONE_RATE, pcm="f32", **names)
        return folder.name, TONE_S, ("mix",)
    if not each.levels:
        return None
    rng = np.random.default_rng(each.id)
    stems = {
        stem: (
            _by_section(levels, RATE)[:, None]
            * rng.uniform(-1.0, 1.0, (int(LENGTH_S * RATE), 2))
            / 2
        ).astype(np.float32)
        for stem, levels in each.levels.items()
    }
    write_bundle_arrays(folder, stems, rate=RATE, **names)
    writer = CurvesWriter()
    writer.add("loudness", np.full((int(LENGTH_S * 2), 1), each.lufs), 2.0, (-70.0, 6.0), fine=True)
    whole = np.zeros(int(LENGTH_S * CURVE_HZ))
    for stem, levels in each.levels.items():
        level = _by_section(levels, CURVE_HZ)
        whole += level**2
        writer.add(f"peaks/{stem}", _columns(level), CURVE_HZ, (0.0, 1.0), square=True)
    mix = np.minimum(np.sqrt(whole), 1.0)
    writer.add("peaks/mix", _columns(mix), CURVE_HZ, (0.0, 1.0), square=True)
    (folder / FILE).write_bytes(writer.file(read_bundle(folder).track.digest))
    return folder.name, LENGTH_S, tuple(each.levels)


def _by_section(levels: tuple[float, ...], hz: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    part = int(LENGTH_S / len(levels) * hz)
    return np.repeat(np.array(levels), part)


def _columns(
    level: np.ndarray[Any, np.dtype[np.float64]],
) -> np.ndarray[Any, np.dtype[np.float64]]:
    return level[:, None] * np.ones(4)
