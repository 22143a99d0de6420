"""The verbs of an arrangement: what they do to clips, and what they refuse."""

import pytest
from random_edits import SOURCES

from sfa_engine.errors import Refused
from sfa_engine.studio.arrangement import Arrangement, last_frame
from sfa_engine.studio.edits import VERBS, edited

DRUMS, VOCALS = SOURCES[0], SOURCES[1]
BAR = 4 * 960  # ticks; 96,000 frames at 120 BPM and 48 kHz


def after(*steps, arrangement=None):
    """Return an arrangement with a lane (1) after edits."""
    state = arrangement or edited(Arrangement(), "lane.add", {"name": "A"})
    for verb, values in steps:
        state = edited(state, verb, values)
    return state


@pytest.fixture
def one():
    """A clip (2) of 96,000 frames from frame 1,000 of the drums, in bar 2."""
    return after(
        ("add", {"lane": 1, "source": DRUMS, "tick": BAR, "start": 1000.0, "length": 96_000})
    )


def test_a_clip_without_a_length_is_all_that_follows_its_start():
    state = after(("add", {"lane": 1, "source": VOCALS, "tick": 0, "start": 17.0}))
    clip = state.clips[2]
    assert clip.length == int((400_017 - 17) * 48_000 / 44_100)
    assert last_frame(state, clip) == pytest.approx(400_017, abs=1.0)


@pytest.mark.parametrize("source", [DRUMS, VOCALS])
@pytest.mark.parametrize("ratio", [1.0, 1.37])
@pytest.mark.parametrize("tick", [BAR + 61, BAR + 961, 2 * BAR - 97])
def test_two_parts_of_a_clip_meet_at_the_frame_and_join_to_what_it_was(source, ratio, tick):
    values = {"lane": 1, "source": source, "tick": BAR, "start": 1000.0, "length": 96_000}
    state = after(
        ("add", values),
        ("fade", {"clip": 2, "fade_in": 480, "fade_out": 960}),
    )
    if ratio != 1.0:
        state = edited(state, "stretch", {"clip": 2, "ratio": ratio})
    parts = edited(state, "split", {"clip": 2, "tick": tick})
    first, second = parts.clips[2], parts.clips[3]
    assert parts.end(first) == parts.begin(second)
    assert parts.end(second) == state.end(state.clips[2])
    assert last_frame(parts, first) == pytest.approx(second.start, abs=1e-6)
    assert (first.fade_out, second.fade_in) == (0, 0)
    assert edited(parts, "join", {"first": 2, "second": 3}).clips == state.clips


def test_a_clip_on_the_grid_is_cut_between_its_places():
    warp = [[100.0, 0], [24_100.0, 960], [50_000.0, 1920]]
    state = after(("add", {"lane": 1, "source": DRUMS, "tick": 480, "warp": warp}))
    parts = edited(state, "split", {"clip": 2, "tick": 480 + 1440})
    first, second = parts.clips[2], parts.clips[3]
    assert [(each.frame, each.tick) for each in first.warp] == [
        (100.0, 0), (24_100.0, 960), (37_050.0, 1440)
    ]  # fmt: skip
    assert [(each.frame, each.tick) for each in second.warp] == [(37_050.0, 0), (50_000.0, 480)]
    assert parts.end(first) == parts.begin(second)
    joined = edited(parts, "join", {"first": 2, "second": 3})
    assert last_frame(joined, joined.clips[2]) == 50_000.0


def test_a_reversed_clip_is_cut_backwards(one):
    state = after(("reverse", {"clip": 2}), ("split", {"clip": 2, "tick": BAR + 960}),
                  arrangement=one)  # fmt: skip
    first, second = state.clips[2], state.clips[3]
    assert (first.start, first.length) == (1000.0 + 72_000, 24_000)
    assert (second.start, second.length) == (1000.0, 72_000)


def test_what_is_trimmed_keeps_its_time(one):
    state = edited(one, "trim", {"clip": 2, "start": BAR + 960, "end": 2 * BAR - 480})
    clip = state.clips[2]
    assert (clip.tick, clip.start, clip.length) == (BAR + 960, 25_000.0, 60_000)


def test_a_clip_moved_and_back_is_the_same(one):
    there = edited(one, "move", {"clip": 2, "tick": BAR + 7})
    assert there != one
    assert edited(there, "move", {"clip": 2, "tick": BAR}) == one


def test_ticks_are_quantised_to_the_nearest_of_the_grid(one):
    for tick, quantised in ((119, 0), (120, 240), (361, 480)):
        moved = edited(one, "move", {"clip": 2, "tick": tick, "grid": 240})
        assert moved.clips[2].tick == quantised


def test_a_clip_keeps_its_own_time_when_the_tempo_changes_and_one_on_the_grid_does_not(one):
    warp = [[100.0, 0], [24_100.0, 960]]
    state = edited(one, "add", {"lane": 1, "source": DRUMS, "tick": 0, "warp": warp})
    slower = edited(state, "tempo", {"bpm": 60.0})
    lengths = [slower.end(clip) - slower.begin(clip) for clip in slower.clips.values()]
    assert lengths == [96_000, 48_000]


def test_fades_shrink_with_their_clip():
    warp = [[100.0, 0], [24_100.0, 960]]
    state = after(
        ("add", {"lane": 1, "source": DRUMS, "tick": 0, "warp": warp}),
        ("fade", {"clip": 2, "fade_in": 20_000, "fade_out": 4000}),
        ("tempo", {"bpm": 300.0}),
    )
    assert (state.clips[2].fade_in, state.clips[2].fade_out) == (9600, 0)


def test_a_lane_goes_with_its_clips(one):
    state = edited(one, "lane.delete", {"lane": 1})
    assert not state.lanes
    assert not state.clips
    assert not state.order


REFUSED = [
    ("nonsense", {}, "no edit"),
    ("mov", {}, "no edit"),
    ("move", {}, "move needs clip"),
    ("move", {"clip": 2, "tick": 0, "to": 1}, 'move has no "to"'),
    ("move", {"clip": "2", "tick": 0}, "clip of move"),
    ("move", {"clip": 9, "tick": 0}, "no clip 9"),
    ("move", {"clip": 2, "tick": -1}, "invalid tick -1"),
    ("move", {"clip": 2, "tick": 1 << 40}, "invalid tick"),
    ("move", {"clip": 2, "tick": 0, "grid": -5}, "invalid grid"),
    ("move", {"clip": 2, "tick": 0, "lane": 7}, "no lane 7"),
    ("split", {"clip": 2, "tick": BAR}, "is not inside of clip 2"),
    ("split", {"clip": 2, "tick": 2 * BAR}, "is not inside of clip 2"),
    ("split", {"clip": 2, "tick": 0}, "is not inside of clip 2"),
    ("trim", {"clip": 2, "start": 9 * BAR}, "is not inside of clip 2"),
    ("extend", {"clip": 2, "frames": 0}, "invalid length 0"),
    ("extend", {"clip": 2, "frames": 500_000}, "ends after its source"),
    ("join", {"first": 2, "second": 2}, "not two parts of one"),
    ("fade", {"clip": 2, "fade_in": 50_000, "fade_out": 50_000}, "use up to 96000"),
    ("fade", {"clip": 2, "fade_in": -1}, "fades of -1"),
    ("gain", {"clip": 2, "gain_db": float("nan")}, "invalid gain"),
    ("gain", {"clip": 2, "gain_db": 99.0}, "invalid gain"),
    ("stretch", {"clip": 2, "ratio": 0.0}, "invalid ratio"),
    ("stretch", {"clip": 2, "warp": [[0.0, 0]]}, "two places or more"),
    ("stretch", {"clip": 2, "warp": [[9.0, 0], [5.0, 960]]}, "both must rise"),
    ("stretch", {"clip": 2, "warp": [[0.0, 0], [9e9, 960]]}, "invalid end"),
    ("transpose", {"clip": 2, "semitones": 90}, "invalid transpose"),
    ("add", {"lane": 1, "source": {**DRUMS, "rate": 0}, "tick": 0}, "rate of a source"),
    ("add", {"lane": 1, "source": {**DRUMS, "frames": 0}, "tick": 0}, "invalid"),
    ("add", {"lane": 1, "source": {"content": ""}, "tick": 0}, "source of add"),
    ("add", {"lane": 1, "source": DRUMS, "tick": 0, "start": 1e12}, "invalid"),
    ("lane.add", {"name": "x" * 999}, "invalid name"),
    ("lane.add", {"name": "A\x1b[31m"}, "invalid name"),
    ("lane.add", {"name": "A", "color": "red"}, "invalid colour"),
    ("lane.set", {"lane": 1, "pan": 2.0}, "invalid pan"),
    ("lane.automate", {"lane": 1, "parameter": "reverb", "points": []}, "parameter of"),
    ("lane.automate", {"lane": 1, "parameter": "pan", "points": [[9, 0], [9, 1]]}, "in order"),
    ("lane.automate", {"lane": 1, "parameter": "pan", "points": [[9, 7]]}, "invalid pan at"),
    ("lane.delete", {"lane": 3}, "no lane 3"),
    ("tempo", {"bpm": 0}, "invalid tempo"),
    ("loop", {"start": 960, "end": 960}, "ends before it begins"),
    ("marker.add", {"tick": 0, "name": "\n"}, "invalid name"),
    ("marker.delete", {"marker": 2}, "no marker 2"),
]


@pytest.mark.parametrize(("verb", "values", "says"), REFUSED)
def test_what_cannot_be_is_refused_in_one_line(one, verb, values, says):
    with pytest.raises(Refused, match=says) as refusal:
        edited(one, verb, values)
    assert "\n" not in str(refusal.value)


def test_every_verb_has_a_sentence():
    for verb in VERBS.values():
        assert verb.__doc__
