"""A track's sheet says nothing twice and leaves no gaps."""

import pytest

from sfa_engine.cli.track_details import cue_words, details


def cue(kind, label="", stem=None, *, by_hand=False):
    """What the library tells of a cue."""
    return {
        "id": 1, "kind": kind, "label": label, "stem": stem, "by_hand": by_hand,
        "position_s": 1.0, "end_s": None, "slot": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (cue("intro", "intro end"), "intro end"),
        (cue("intro", "first downbeat"), "intro, first downbeat"),
        (cue("build", "build 1"), "build 1"),
        (cue("outro", "outro"), "outro"),
        (cue("drop", "dropped needle"), "drop, dropped needle"),
        (cue("loop", "bass 16 bars", "bass"), "loop of bass, 16 bars"),
        (cue("loop", by_hand=True), "loop, by hand"),
        (cue("cue", "here", by_hand=True), "cue, here, by hand"),
    ],
)
def test_a_cue_is_named_once(told, words):
    assert cue_words(told) == words


@pytest.mark.parametrize(
    ("engine", "model", "sketch", "words"),
    [
        ("sketch", "sketch", True, "sketch"),
        ("embedded", "spleeter-2stems", True, "embedded spleeter-2stems, a sketch"),
        ("given", "", False, "given"),
    ],
)
def test_a_stem_says_once_what_made_it(engine, model, sketch, words):
    origin = {"name": "bass", "engine": engine, "model": model, "sketch": sketch}
    track = {
        "name": "x", "grid": None, "key": None, "lufs": None, "origins": [origin],
        "cues": [], "sources": [], "problem": "",
    }  # fmt: skip
    assert list(details(track)) == ["x", f"  stem bass: {words}"]


def test_tags_are_one_line_and_none_are_no_line():
    track = {
        "name": "x", "grid": None, "key": None, "lufs": None, "origins": [],
        "cues": [], "sources": [], "problem": "",
    }  # fmt: skip
    tags = [{"name": "techno", "probability": 0.914}, {"name": "80s", "probability": 0.5}]
    lines = list(details({**track, "sound_tags": tags}))
    assert lines == ["x", "  sounds like techno .91, 80s .50"]
    assert list(details({**track, "sound_tags": []})) == ["x"]
