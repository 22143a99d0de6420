"""Arrangements as sound: nulls against the sources, any block, in time to a millisecond."""

import random

import numpy as np
import pytest
from random_edits import SOURCES, random_edit

from sfa_engine.errors import Refused
from sfa_engine.studio.arrangement import Arrangement, Source
from sfa_engine.studio.edits import edited
from sfa_engine.studio.render import Renderer, Sound

RATE = 48_000
BAR = 4 * 960


def noise(seed, frames, scale=0.2):
    made = np.random.default_rng(seed).standard_normal((frames, 2)) * scale
    return made.astype(np.float32)


def source(stem, frames, rate=RATE):
    return {"content": stem, "stem": stem, "rate": rate, "frames": frames, "name": "A"}


def after(*steps):
    state = Arrangement()
    for verb, values in steps:
        state = edited(state, verb, values)
    return state


def rendered(arrangement, sounds, block=1 << 16, **options):
    renderer = Renderer(arrangement, lambda of: sounds[of.stem], **options)
    return np.concatenate([np.zeros((0, 2), np.float32), *renderer.blocks(block=block)])


@pytest.fixture
def stems():
    return {name: noise(k, 200_000) for k, name in enumerate(("drums", "bass", "vocals", "other"))}


def test_untouched_stems_side_by_side_null_against_their_mix(stems):
    steps = [("lane.add", {"name": name}) for name in stems]
    steps += [
        ("add", {"lane": k, "source": source(name, 200_000), "tick": 0})
        for k, name in enumerate(stems, 1)
    ]
    state = after(*steps)
    for tick in (960, 1111, 4000):  # cuts change nothing
        for clip, each in state.clips.items():
            if state.begin(each) < state.tempo.frame_of(tick, RATE) < state.end(each):
                state = edited(state, "split", {"clip": clip, "tick": tick})
    mix = sum(stem.astype(np.float64) for stem in stems.values()).astype(np.float32)
    sound = rendered(state, {name: Sound(stem) for name, stem in stems.items()})
    assert np.array_equal(sound, mix)


def test_pcm_of_16_bits_is_the_same_sound(stems):
    whole = np.round(stems["bass"] * 20_000).astype(np.int16)
    state = after(
        ("lane.add", {"name": "A"}),
        ("add", {"lane": 1, "source": source("bass", 200_000), "tick": BAR}),
    )
    sound = rendered(state, {"bass": Sound(whole)})
    assert not sound[:96_000].any()
    assert np.array_equal(sound[96_000:], whole / np.float32(32_768))


def arrangement_of(seed, steps):
    state, choose = Arrangement(), random.Random(seed)
    for _ in range(steps):
        verb, values = random_edit(state, choose)
        try:
            state = edited(state, verb, values)
        except Refused:
            continue
    return state


@pytest.mark.parametrize("seed", range(3))
def test_the_blocks_make_no_difference(seed):
    state = arrangement_of(seed, 60)
    assert state.clips
    sounds = {each["stem"]: Sound(noise(3, each["frames"])) for each in SOURCES}
    whole = rendered(state, sounds, 1 << 22)
    assert len(whole) == state.frames
    for block in (1000, 65_536):
        assert np.array_equal(rendered(state, sounds, block), whole)


def test_what_moves_in_a_fade_is_the_curve_and_no_click_is_at_a_bare_edge():
    tone = np.ones((96_000, 2), np.float32)
    state = after(
        ("lane.add", {"name": "A"}),
        ("add", {"lane": 1, "source": source("other", 96_000), "tick": 0, "start": 500.0,
                 "length": 48_000}),
        ("fade", {"clip": 2, "fade_in": 4800, "curve": "power"}),
        ("gain", {"clip": 2, "gain_db": -6.0}),
    )  # fmt: skip
    sound = rendered(state, {"other": Sound(tone)})[:, 0]
    level = 10 ** (-6 / 20)
    assert sound[2400] == pytest.approx(level * np.sin(np.pi / 4), abs=1e-3)
    assert sound[24_000] == pytest.approx(level, abs=1e-6)
    assert sound[-1] < level / 32
    assert np.abs(np.diff(sound)).max() <= level / 32 + 1e-6


def test_lanes_have_volume_pan_solo_mute_and_automation():
    tone = np.ones((96_000, 2), np.float32)
    sounds = {"other": Sound(tone)}
    state = after(
        ("lane.add", {"name": "A"}),
        ("lane.add", {"name": "B"}),
        ("add", {"lane": 1, "source": source("other", 96_000), "tick": 0}),
        ("add", {"lane": 2, "source": source("other", 96_000), "tick": 0}),
        ("lane.set", {"lane": 1, "volume_db": -20.0, "pan": 0.5}),
        ("lane.automate", {"lane": 2, "parameter": "volume_db",
                           "points": [[960, -20.0], [1920, 0.0]]}),
    )  # fmt: skip
    one = rendered(edited(state, "lane.set", {"lane": 1, "solo": True}), sounds)
    assert one[1000] == pytest.approx([0.05, 0.1])
    other = rendered(edited(state, "lane.set", {"lane": 1, "mute": True}), sounds)[:, 0]
    assert other[[0, 24_000, 48_000, 90_000]] == pytest.approx([0.1, 0.1, 1.0, 1.0])
    assert 20 * np.log10(other[36_000]) == pytest.approx(-10.0, abs=0.01)
    both = rendered(state, sounds)
    stems = [rendered(state, sounds, lanes={lane}) for lane in (1, 2)]
    assert both == pytest.approx(stems[0] + stems[1], abs=1e-6)


def clicks(places, frames, rate):
    sound = np.zeros((frames, 2), np.float32)
    at = np.arange(2000)
    burst = (np.exp(-at / 200) * np.sin(2 * np.pi * 180 * at / rate)).astype(np.float32)
    for place in places:
        sound[round(place) : round(place) + 2000] += burst[: frames - round(place), None]
    return sound


def attack(sound, near):
    around = np.abs(sound[max(0, near - 600) : near + 1000, 0])
    return max(0, near - 600) + int(np.argmax(around > 0.05 * around.max()))


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_clip_on_the_grid_is_in_time_to_its_last_beat(rate):
    frames, choose = 90 * rate, np.random.default_rng(4)
    beats = np.cumsum(np.r_[0.5, choose.uniform(0.48, 0.5, 160)]) * rate  # a drummer
    sound = Sound(clicks(beats, frames, rate), beats)
    warp = [[float(beats[k]), k * 960] for k in range(0, 161, 16)]
    state = after(
        ("tempo", {"bpm": 121.3}),
        ("lane.add", {"name": "A"}),
        ("add", {"lane": 1, "source": source("drums", frames, rate), "tick": 0, "warp": warp}),
    )
    played = rendered(state, {"drums": sound})
    assert len(played) == state.tempo.frame_of(160 * 960, RATE)
    for k in range(16, 160, 16):
        place = state.tempo.frame_of(k * 960, RATE)
        assert abs(attack(played, place) - place) / RATE < 1e-3


def test_another_rate_keeps_time_and_a_reversed_clip_ends_where_it_began():
    places = np.arange(1, 20) * 22_050
    sound = Sound(clicks(places, 441_000, 44_100))
    state = after(
        ("lane.add", {"name": "A"}),
        ("add", {"lane": 1, "source": source("drums", 441_000, 44_100), "tick": 0}),
    )
    played = rendered(state, {"drums": sound})
    for place in places[:-1] / 44_100 * RATE:
        assert abs(attack(played, round(place)) - place) < 0.0002 * RATE
    back = rendered(edited(state, "reverse", {"clip": 2}), {"drums": sound})
    assert np.array_equal(back[1000:-1000], played[::-1][1000:-1000])


def test_a_transposed_clip_has_its_length_and_another_pitch():
    tone = np.sin(2 * np.pi * 220 * np.arange(200_000) / RATE).astype(np.float32)
    state = after(
        ("lane.add", {"name": "A"}),
        ("add", {"lane": 1, "source": source("other", 200_000), "tick": 0}),
        ("transpose", {"clip": 2, "semitones": 12.0}),
    )
    played = rendered(state, {"other": Sound(np.stack([tone, tone], 1))})
    assert len(played) == 200_000
    spectrum = np.abs(np.fft.rfft(played[20_000:180_000, 0] * np.hanning(160_000)))
    assert np.argmax(spectrum) * RATE / 160_000 == pytest.approx(440.0, abs=1.0)


def test_an_empty_arrangement_is_silent():
    assert len(rendered(Arrangement(), {})) == 0
    assert Source(**source("drums", 5)).stem == "drums"
