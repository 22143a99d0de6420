import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfa_engine.errors import Refused
from sfa_engine.mix import wheel
from sfa_engine.mix.arc import ARCS, percentiles, shape, targets
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.neighbours import Pricing, tempo_costs
from sfa_engine.mix.order import Locks, order_tracks
from sfa_engine.mix.tempo import meet, nearest
from sfa_engine.track.key import camelot, shifted


def tracks_of(count, seed=1):
    chance = random.Random(seed)
    return [
        TrackFacts(
            number,
            f"Track {number}",
            artist=f"Artist {chance.randrange(9)}",
            bpm=chance.gauss(125, 4) if chance.random() < 0.95 else None,
            camelot=f"{chance.randrange(1, 13)}{chance.choice('AB')}",
            energy=chance.random(),
            vector=tuple(chance.gauss(0, 1) for _ in range(4)),
        )
        for number in range(1, count + 1)
    ]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data())
def test_an_order_keeps_its_locks(data):
    count = data.draw(st.integers(2, 9))
    tracks = tracks_of(count, data.draw(st.integers(0, 99)))
    numbers = data.draw(st.permutations(range(1, count + 1)))
    first = data.draw(st.sampled_from([None, numbers[0]]))
    last = data.draw(st.sampled_from([None, numbers[-1]]))
    middle = numbers[1:-1]
    after = tuple(pairwise(middle))[: data.draw(st.integers(0, 3))]
    arc = data.draw(st.sampled_from(ARCS))
    ids = order_tracks(tracks, arc=arc, locks=Locks(first, last, after)).ids
    assert sorted(ids) == list(range(1, count + 1))
    assert first in {None, ids[0]}
    assert last in {None, ids[-1]}
    for before, then in after:
        assert ids[ids.index(before) + 1] == then


def test_the_same_tracks_give_the_same_order_with_a_reason_for_each():
    tracks = tracks_of(20)
    order = order_tracks(tracks, arc="peak")
    assert order == order_tracks(tracks, arc="peak")
    assert all("energy" in reason for reason in order.reasons)


def test_an_order_is_better_than_the_best_of_many_random_ones():
    tracks = tracks_of(30)
    energy = percentiles([t.energy for t in tracks])
    pricing = Pricing(tracks, energy, targets("peak", energy))
    chance = np.random.default_rng(1)
    best = min(pricing.cost(chance.permutation(30)) for _ in range(300))
    assert order_tracks(tracks, arc="peak").cost < 0.6 * best


@pytest.mark.parametrize(
    ("locks", "words"),
    [
        (Locks(first=99), "not in the list"),
        (Locks(after=((1, 2), (3, 2))), "contradicts"),
        (Locks(after=((1, 2), (2, 1))), "circle"),
        (Locks(first=2, after=((1, 2),)), "contradicts"),
        (Locks(first=1, at={0: 2}), "two tracks"),
        (Locks(at={0: 1, 2: 1}), "two places"),
    ],
)
def test_locks_that_contradict_each_other_are_refused(locks, words):
    with pytest.raises(Refused) as refused:
        order_tracks(tracks_of(3), locks=locks)
    assert words in refused.value.message
    assert refused.value.hint


def test_places_that_are_locked_are_kept():
    ids = order_tracks(tracks_of(12), locks=Locks(at={0: 5, 4: 2, 11: 9})).ids
    assert (ids[0], ids[4], ids[11]) == (5, 2, 9)


def test_an_arc_is_filled_by_the_tracks_of_the_list():
    energy = np.array([0.1, 0.9, 0.5, 0.3, 0.7, 0.2, 0.8, 0.4, 0.6, 1.0])
    assert targets("rising", energy).tolist() == sorted(energy)
    assert targets("falling", energy).tolist() == sorted(energy, reverse=True)
    assert int(np.argmax(targets("peak", energy))) in {6, 7}
    assert set(targets("steady", energy)) == {0.55}
    assert int(np.argmax(shape("peak", 101))) == 70
    tracks = tracks_of(24)
    by_id = {t.id: t.energy for t in tracks}
    rising = [by_id[i] for i in order_tracks(tracks, arc="rising").ids]
    assert np.corrcoef(rising, np.arange(24))[0, 1] > 0.8


def test_no_artist_is_repeated_within_five_tracks_if_there_are_others():
    tracks = [
        TrackFacts(n, f"T{n}", artist=f"A{n % 6}", bpm=125.0, camelot="8A") for n in range(1, 25)
    ]
    ids = order_tracks(tracks).ids
    artists = [n % 6 for n in ids]
    close = sum(a == b for k in range(1, 5) for a, b in zip(artists, artists[k:], strict=False))
    assert close <= 2


def test_percentiles_are_those_of_the_library():
    assert percentiles([0.5, None, 0.9], [0.1, 0.2, 0.5, 0.9]).tolist() == [0.625, 0.5, 0.875]
    assert percentiles([None]).tolist() == [0.5]


@pytest.mark.parametrize(
    ("one", "other", "grade"),
    [
        ("8A", "8A", 1.0), ("8A", "9A", 0.9), ("1A", "12A", 0.9), ("8A", "8B", 0.9),
        ("8A", "10A", 0.55), ("8A", "9B", 0.45), ("8A", "2A", 0.1), ("8A", "2B", 0.1),
    ],
)  # fmt: skip
def test_the_grades_of_the_wheel(one, other, grade):
    assert wheel.grade(one, other) == grade == wheel.grade(other, one)


@given(st.integers(-12, 12), st.sampled_from(["A minor", "C major", "F# minor", "Eb major"]))
def test_a_shift_on_the_wheel_is_that_of_the_key(semitones, key):
    assert wheel.shifted(camelot(key), semitones) == camelot(shifted(key, semitones))


@given(st.floats(60, 200), st.floats(60, 200), st.floats(0, 0.08))
def test_tracks_that_meet_are_within_the_limit(one, other, limit):
    meeting = meet(one, other, limit)
    ratio, factor = nearest(one, other)
    if meeting is None:
        assert max(abs(factor**0.5 - 1), abs(factor**-0.5 - 1)) > limit
        return
    assert meeting.ratio == ratio
    assert abs(meeting.out_rate - 1) <= limit + 1e-8
    assert abs(meeting.in_rate - 1) <= limit + 1e-8
    assert meeting.bpm * ratio == pytest.approx(other * meeting.in_rate)


def test_half_and_double_tempo_are_near():
    costs = tempo_costs([86.0, 172.0, 120.0, 130.0, None])
    assert costs[0, 1] < costs[2, 3]
    assert costs[0, 1] == costs[1, 0]
    assert costs[4, 0] == costs[0, 4] == 0.8
    assert nearest(172.0, 86.0) == (0.5, 1.0)
