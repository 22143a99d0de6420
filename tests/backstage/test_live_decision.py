"""What a live mix does next: decisions alone, without a library, a stage or a file."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from sfa_engine.backstage.mixes.live_decision import (
    Blending,
    Due,
    Queueing,
    blend_due,
    due,
    is_stopped_by_hand,
    queue_due,
    sent,
    taken_of,
    timing,
    with_adopted,
    with_edit,
    with_next,
)
from sfa_engine.backstage.mixes.live_state import Deck, LiveState, Stand, StateFile
from sfa_engine.bench.random_facts import made_track
from sfa_engine.errors import Refused
from sfa_engine.mix import live
from sfa_engine.mix.commands import entrance
from sfa_engine.mix.plan import plan_mix

FACTS = {n: made_track(n, bpm=120.0, seed=n, name=f"Track {n}") for n in range(1, 5)}
PLAN = plan_mix([FACTS[n] for n in (1, 2, 3)], ordered=True)
BUNDLES = {n: f"{n}.sfa" for n in FACTS}
RATE = 48_000.0


def deck(number: int, *, playing: bool = True, position_s: float = 30.0, **more: float) -> Deck:
    values = {"rate": 1.0, "fader_db": 0.0} | more
    return Deck(f"/tracks/{number}.sfa" if number else "", playing, position_s, **values)


def stand(*decks: Deck, frame: int = 0, waiting: int = 0, **taken: int) -> Stand:
    paths = {name.replace("_", "."): seq for name, seq in taken.items()}
    return Stand(1, frame, RATE, 100, paths, waiting, list(decks))


def state(place: int = 0, **more: object) -> LiveState:
    return LiveState("night", PLAN, **({"place": place, "since": {1: 10, 2: 10}} | more))


IDLE = deck(0, playing=False)
CASES = [
    (state(-1), [IDLE, IDLE], Due.BEGIN),
    (state(), [deck(1), IDLE], Due.LOAD),
    (state(loaded=2), [deck(1), deck(2, playing=False)], Due.QUEUE),
    (state(loaded=2), [deck(1), deck(3, playing=False)], Due.LOAD),  # something else was loaded
    (state(loaded=2), [deck(1), deck(2)], Due.BLEND),
    (state(loaded=2), [deck(1, playing=False), deck(2)], Due.ADVANCE),
    (state(loaded=2), [deck(4), deck(2)], Due.ADVANCE),
    (state(loaded=2), [deck(4), deck(2, playing=False)], Due.ADOPT),
    (state(loaded=2), [deck(1, playing=False), deck(2, playing=False)], Due.SILENT),
    (state(2), [deck(3), IDLE], Due.LAST),
    (state(2), [deck(3, playing=False), IDLE], Due.SILENT),
]


@pytest.mark.parametrize(("where", "decks", "expected"), CASES)
def test_what_is_due(where: LiveState, decks: list[Deck], expected: Due) -> None:
    assert due(where, stand(*decks), BUNDLES) is expected


def test_a_track_without_a_bundle_is_on_no_deck() -> None:
    assert due(state(loaded=2), stand(deck(1), deck(2)), {1: "1.sfa"}) is Due.LOAD
    assert due(state(), stand(deck(1), IDLE), {}) is Due.ADOPT


def test_a_transition_is_queued_a_phrase_ahead_and_again_if_the_deck_runs_otherwise() -> None:
    pair = replace(PLAN, tracks=PLAN.tracks[:2], transitions=PLAN.transitions[:1])
    enters = entrance(pair, FACTS)
    commands = live.queued(enters)
    starts_s = enters.start_s - 0.5

    def what(before_s: float, frame: int = 0, **more: object) -> tuple[Queueing, float]:
        out = deck(1, position_s=starts_s - before_s)
        now = stand(out, IDLE, frame=frame)
        at = timing(enters, out, now)
        return queue_due(state(**more), now, enters, commands, at), at.anchor

    assert what(60.0)[0] is Queueing.WAIT
    queued, anchor = what(10.0)
    assert queued is Queueing.SEND
    assert what(9.0, 48_000, start_frame=1, anchor=anchor)[0] is Queueing.STAYS
    assert what(8.9, 48_000, start_frame=1, anchor=anchor)[0] is Queueing.AGAIN
    assert what(-1.0)[0] is Queueing.PASSED


def test_what_is_sent_late_is_set_at_once_and_the_rest_at_its_frame() -> None:
    pair = replace(PLAN, tracks=PLAN.tracks[:2], transitions=PLAN.transitions[:1])
    enters = entrance(pair, FACTS)
    commands = live.queued(enters)
    middle_s = (enters.start_s + enters.end_s) / 2
    out = deck(1, position_s=middle_s - 0.5)
    now = stand(out, IDLE, frame=5_000_000)
    made = sent(state(), now, enters, commands, timing(enters, out, now))
    early = [item for item in made.items if "when" not in item]
    late = [item for item in made.items if "when" in item]
    assert early
    assert late
    assert min(item["when"] for item in late) >= 5_000_000
    assert len({item["path"] for item in early}) == len(early)
    assert all(item["since"] == 10 for item in made.items)
    assert made.over_frame == pytest.approx(
        5_000_000 + (enters.end_s - middle_s) * RATE, abs=0.01 * RATE
    )
    assert made.over_frame <= made.end_frame


def test_a_blend_is_left_to_a_hand_on_the_incoming_deck() -> None:
    blending = state(start_frame=10, end_frame=1000)
    both = stand(deck(1), deck(2, fader_db=-50.0), frame=500)
    assert blend_due(blending, both, []) is Blending.CHECK
    assert blend_due(blending, both, ["deck2.fader"]) is Blending.HELD
    assert blend_due(blending, both, ["deck2.play"]) is Blending.HELD
    over = replace(both, frame=2000)
    assert blend_due(blending, over, []) is Blending.LOST
    assert blend_due(blending, over, ["deck1.play"]) is Blending.OVER
    assert blend_due(blending, replace(over, waiting=3), []) is Blending.OVER


def test_a_deck_has_ended_at_its_end_and_was_stopped_before() -> None:
    stopped = deck(1, playing=False, position_s=100.0)
    assert is_stopped_by_hand(stopped, 200.0, is_taken=True)
    assert not is_stopped_by_hand(stopped, 200.0, is_taken=False)
    assert not is_stopped_by_hand(stopped, 100.2, is_taken=True)


def test_only_controls_of_the_mix_that_were_touched_since_are_taken() -> None:
    found = stand(IDLE, IDLE, deck1_fader=11, deck1_trim=9, deck2_filter=50, master_volume=60)
    assert taken_of(state(), found) == ["deck1.fader", "deck2.filter"]
    assert taken_of(state(), found, 2) == ["deck2.filter"]


def test_plans_that_are_changed_while_they_are_performed() -> None:
    sooner = with_next(PLAN, 0, FACTS[3])
    assert [(t.id, t.deck) for t in sooner.tracks] == [(1, 1), (3, 2), (2, 2)]
    adopted = with_adopted(PLAN, 1, FACTS[4], 2)
    assert [t.id for t in adopted.tracks] == [1, 4, 2, 3]
    assert adopted.transitions[-1].kind == "follow"
    edited = replace(PLAN, tracks=(PLAN.tracks[0], PLAN.tracks[2]))
    assert [(t.id, t.deck) for t in with_edit(PLAN, edited, 0).tracks] == [(1, 1), (3, 2)]
    with pytest.raises(Refused, match="tracks up to 2 are played already"):
        with_edit(PLAN, edited, 1)


def test_the_state_is_read_as_it_was_written(tmp_path) -> None:
    file = StateFile(tmp_path / "live-mix.json")
    assert file.read() is None
    kept = state(1, dropped=["x: y"])
    file.write(kept)
    assert file.read() == kept
    (tmp_path / "live-mix.json").write_bytes(msgspec.json.encode({"name": 3}))
    assert file.read() is None
    file.remove()
    file.remove()
    assert file.read() is None
