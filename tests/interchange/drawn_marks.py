"""Grids and cues that tests of several formats draw."""

import av
import numpy as np
import soundfile
from hypothesis import strategies as st

from sfa_engine.errors import SfaError
from sfa_engine.interchange.record import GRID_RATE
from sfa_engine.library.cues import Cue
from sfa_engine.track.grid import Anchor, Grid

LABELS = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), max_size=20
).map(str.strip)
COLORS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@st.composite
def whole_grids(draw, bars=4):
    """A grid whose anchors are on whole beats, the first a downbeat in the track's first bar."""
    bpm = draw(st.floats(60, 200))
    spacing = 60 / bpm * GRID_RATE
    frame, beat = draw(st.floats(0, 0.9)) * spacing, 0
    anchors = [Anchor(frame, beat)]
    for _ in range(draw(st.integers(0, 5))):
        steps = draw(st.integers(1, 64))
        frame += steps * spacing * draw(st.floats(0.9, 1.1))
        beat += steps
        anchors.append(Anchor(frame, beat))
    return Grid(tuple(anchors), bpm, bars)


@st.composite
def pads(draw, milliseconds=True):
    """Hot cues 1 to 8 and loops 9 to 16, as Serato and Engine DJ hold them."""
    found = []
    seconds = (
        st.integers(0, 600_000).map(lambda ms: ms / 1000) if milliseconds else st.floats(0, 600)
    )
    for slot in draw(st.sets(st.integers(1, 16))):
        values = {"slot": slot, "label": draw(LABELS), "color": draw(COLORS)}
        start = draw(seconds)
        if slot > 8:
            values |= {"kind": "loop", "end_s": start + draw(st.integers(1, 60_000)) / 1000}
        found.append(Cue(start, **values))
    return tuple(sorted(found, key=lambda cue: (cue.position_s, cue.slot)))


def sound_file(path, seconds=1.0, rate=44_100):
    """Write a quiet tone as a sound file, of the kind that the name says."""
    sound = 0.1 * np.sin(np.arange(int(seconds * rate)) / 20).astype(np.float32)
    planes = np.stack([sound, sound])
    if path.suffix in {".m4a", ".mp4"}:
        with av.open(str(path), "w", format="mp4") as container:
            stream = container.add_stream("aac", rate=rate)
            frame = av.AudioFrame.from_ndarray(planes, "fltp", "stereo")
            frame.sample_rate = rate
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path
    soundfile.write(path, planes.T, rate)
    return path


def is_read_or_refused(parse, *arguments):
    """Return whether something is read, or refused with a hint; other errors are raised."""
    try:
        parse(*arguments)
    except SfaError as problem:
        return bool(problem.hint)
    return True
