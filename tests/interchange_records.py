"""Records for the tests of formats: drawn at random, and compared as a format can hold them."""

import math
import random

import numpy as np
from hypothesis import Phase, settings
from hypothesis import strategies as st

from sfa_engine.interchange.record import GRID_RATE, Collection, List, Record
from sfa_engine.library.color import NAMES
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import SEAM_S, Anchor, Grid
from sfa_engine.track.key import KEYS

LENGTH_S = 480.0
DAY_S = 86_400.0
# A record that fails says all; its pieces shrunk for minutes say no more.
QUICK = settings(max_examples=30, phases=[Phase.explicit, Phase.reuse, Phase.generate])
KINDS = ("any tempo", "hundredths", "pieces", "drift", "cut")  # of grids
NAMED = tuple(NAMES.values())

texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff", min_codepoint=32)
    | st.sampled_from("\t\n\r&<>\"'%/:"),
    max_size=20,
)
names = texts.filter(lambda text: text.strip() and text not in {"n.n.", "AutoGrid"})
parts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\:\ufffe\uffff"),
    min_size=1,
    max_size=12,
).filter(lambda part: part not in {".", ".."})
paths = st.builds(
    lambda top, inner: top + "/".join(inner),
    st.sampled_from(["/Library/dj/", "/opt/dj/", "C:/Music/", "/Volumes/USB 1/Sets/"]),
    st.lists(parts, min_size=1, max_size=3),
)
days = st.none() | st.integers(1, 20_000).map(lambda day: day * DAY_S)


@st.composite
def grids(draw, kinds=KINDS):
    """Draw a grid: constant, of several tempos, drifting, or cut."""
    kind = draw(st.sampled_from(kinds))
    chance = random.Random(draw(st.integers(0, 2**32)))
    bpm = chance.uniform(60, 200)
    if kind == "hundredths":
        bpm = round(bpm, 2)
    at_s, beat = chance.uniform(-2, 20), chance.randint(-8, 3)
    points = [(at_s, beat)]
    for _ in range({"pieces": 3, "drift": 60, "cut": 2}.get(kind, 0)):
        if kind == "drift":
            beats, tempo = chance.randint(1, 16), bpm * chance.uniform(0.97, 1.03)
        else:
            beats, tempo = chance.randint(16, 200), chance.uniform(60, 200)
        at_s, beat = at_s + beats * 60 / tempo, beat + beats
        points.append((at_s, beat))
        if kind == "cut":  # a part of a beat or of a bar is cut out: a new bar begins
            there = beat + chance.choice([0.25, 0.5, 0.75, 1, 2])
            there += 0.5 * (there % 4 == 0)
            at_s += (there - beat) * 60 / tempo
            points[-1] = (at_s - SEAM_S, there - SEAM_S * tempo / 60)
            beat = 4 * math.ceil(there / 4)
            points.append((at_s, beat))
    return Grid(tuple(Anchor(at_s * GRID_RATE, float(beat)) for at_s, beat in points), bpm)


@st.composite
def cues(draw, load=True):
    """Draw cues and loops at least 9 ms apart, each hot cue once."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    places = chance.sample(range(47_000), draw(st.integers(0, 12)))
    slots = chance.sample(range(1, 9), 8)
    made = []
    for place in sorted(places):
        at_s = place / 100 + chance.choice([0, 0.001, 0.0005, 0.00012])
        end_s = at_s + chance.randint(1, 500) / 50 if chance.random() < 0.5 else None
        slot = slots.pop() if slots and chance.random() < 0.5 else None
        made.append(
            Cue(
                at_s,
                "cue" if end_s is None else "loop",
                end_s,
                slot,
                draw(names) if chance.random() < 0.3 else "",
                chance.choice(["", "#ff8800", "#000000", "#0a0b0c"]) if slot else "",
                on_load=load and chance.random() < 0.2,
            )
        )
    return tuple(made)


@st.composite
def records(draw, key="1", load=True, colors=NAMED):
    """Draw a track with anything that a record can have."""
    return Record(
        key,
        location=draw(paths),
        title=draw(texts),
        artist=draw(texts),
        album=draw(texts),
        genre=draw(texts),
        label=draw(texts),
        comment=draw(texts),
        year=draw(st.none() | st.integers(1, 9999)),
        bpm=draw(st.none() | st.integers(2000, 40_000).map(lambda bpm: bpm / 100)),
        musical_key=draw(st.sampled_from(["", *KEYS])),
        duration_s=LENGTH_S,
        size_bytes=draw(st.none() | st.integers(1, 2**40)),
        rating=draw(st.none() | st.integers(0, 5)),
        color=draw(st.sampled_from(["", *colors])),
        play_count=draw(st.none() | st.integers(0, 10_000)),
        played_at=draw(days),
        added_at=draw(days),
        grid=draw(st.none() | grids()),
        cues=draw(cues(load=load)),
    )


@st.composite
def collections(draw, **values):
    """Draw two tracks at different places, in playlists in folders."""
    tracks = [draw(records(str(number), **values)) for number in (1, 2)]
    if tracks[0].location.casefold() == tracks[1].location.casefold():
        tracks.pop()
    keys = st.lists(st.sampled_from([track.key for track in tracks]), max_size=4).map(tuple)
    folders = st.lists(names, max_size=2).map(tuple)
    lists = draw(st.lists(st.builds(List, names, folders, keys), max_size=3))
    return Collection(tuple(tracks), tuple(lists))


def assert_beats_agree(grid, other, from_bar=False, bars_kept=True):
    """Assert that each beat is at one place within 2 ms, and at one place in its bar.

    With `from_bar`, from the first downbeat on; without `bars_kept`, bars may begin elsewhere.
    """
    assert (grid is None) == (other is None)
    if grid is None:
        return
    frames = round(LENGTH_S * GRID_RATE)
    beats = grid.beats(frames, GRID_RATE)
    beats = beats[(beats > 0.01 * GRID_RATE) & (beats < frames - 0.01 * GRID_RATE)]
    if from_bar:
        beats = beats[np.argmax(np.round(grid.beat_of(beats, GRID_RATE)) % 4 == 0) :]
    edges = beats[0] - 0.005 * GRID_RATE, beats[-1] + 0.005 * GRID_RATE
    compared = []
    for each in (grid, other):
        assert each.beats_per_bar == grid.beats_per_bar
        found = each.beats(frames, GRID_RATE)
        # where a part is cut out, the beats of it have no length: the last one of them counts
        found = found[np.diff(found, append=np.inf) > 2 * SEAM_S * GRID_RATE]
        found = found[(found > edges[0]) & (found < edges[1])]
        numbers = np.round(each.beat_of(found, GRID_RATE)) % grid.beats_per_bar
        compared.append((found, numbers))
    (kept, bars), (kept_there, bars_there) = compared
    assert len(kept) == len(kept_there)
    assert np.abs(kept - kept_there).max(initial=0) <= 0.002 * GRID_RATE
    assert not bars_kept or (bars == bars_there).all()


def assert_cues_agree(cues, others, within_s):
    """Assert that cues are the same, and their positions within a precision."""
    assert len(cues) == len(others)
    for cue, other in zip(cues, others, strict=True):
        same = ("kind", "slot", "label", "color", "stem", "on_load", "by_hand")
        assert all(getattr(cue, name) == getattr(other, name) for name in same)
        assert abs(cue.position_s - other.position_s) <= within_s
        assert (cue.end_s is None) == (other.end_s is None)
        if cue.end_s is not None:
            assert abs(cue.end_s - other.end_s) <= within_s


def assert_lists_agree(collection, other):
    """Assert that playlists are the same, by the places of their tracks; empty folders go."""
    places, places_there = (
        {track.key: index for index, track in enumerate(each.tracks)}
        for each in (collection, other)
    )
    expected = [
        (each.folders, each.name, [places[key] for key in each.keys])
        for each in collection.playlists
    ]
    found = [
        (each.folders, each.name, [places_there[key] for key in each.keys])
        for each in other.playlists
    ]
    assert sorted(found) == sorted(expected)
