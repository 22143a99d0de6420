import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sfa_engine.bench.random_facts import any_track, made_track
from sfa_engine.bench.random_pairs import (
    both_voices_s,
    broken_rules,
    fallbacks_of,
    muted,
    random_pairs,
    window,
)
from sfa_engine.mix.document import Move, Transition
from sfa_engine.mix.facts import TrackFacts
from sfa_engine.mix.fallback import fade_out_s, is_live
from sfa_engine.mix.plan import plan_mix
from sfa_engine.mix.plan_check import findings
from sfa_engine.mix.settings import MixSettings
from sfa_engine.mix.tempo import nearest
from sfa_engine.mix.timeline import PHRASE, Timeline
from sfa_engine.mix.transition import Entered, plan_pair
from sfa_engine.mix.voices import BOTH_S, CUT_S


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(st.integers(0, 1 << 40))
def test_any_pair_has_a_plan_that_breaks_no_rule(seed):
    chance = random.Random(seed)
    out, into = any_track(chance, 1), any_track(chance, 2)
    assert not list(broken_rules(plan_pair(out, into), out, into))


def test_fifty_pairs_of_any_kind_have_a_plan_that_can_be_performed():
    found = list(random_pairs(50, 7))
    assert [each.broken for each in found if each.broken] == []
    kinds = Counter(each.transition.kind for each in found)
    assert min(kinds[kind] for kind in ("blend", "fade", "follow")) > 0
    fallbacks = fallbacks_of(found)
    assert sum(fallbacks.values()) == kinds["fade"] + kinds["follow"]
    assert len(fallbacks) > 3


def test_a_plan_that_breaks_a_rule_is_noticed():
    out, into = made_track(1), made_track(2, seed=4)
    pair = plan_pair(out, into)
    wrong = {
        "outside the outgoing track": {"out_bar": 400.0},
        "a blend of 7 bars": {"bars": 7},
        "not together": {"in_rate": 1.02},
        "a rate of 1.2": {"in_rate": 1.2},
        "is left at": {"moves": pair.transition.moves[:1]},
        "without a reason": {"why": ()},
    }
    for words, change in wrong.items():
        if "out_bar" in change:
            short = replace(out, length_s=out.length_s - 20)
            assert any(words in said for said in broken_rules(pair, short, into))
            continue
        broken = pair._replace(transition=replace(pair.transition, **change))
        assert any(words in said for said in broken_rules(broken, out, into)), words
    fade = pair._replace(transition=Transition(1, 2, "fade", out_s=1e4, in_s=0.0, seconds=4.0))
    said = list(broken_rules(fade, out, into))
    assert said == ["no reason for a fade", "a fade outside the outgoing track"]


def is_on_borders(out, into, each):
    """Return whether a blend begins on borders of both tracks and ends on one of either."""
    ends = out.border[each.out_bar + each.bars], into.border[each.in_bar + each.in_bars]
    begins = out.border[each.out_bar], into.border[each.in_bar]
    return min(begins) >= PHRASE and max(ends) >= PHRASE


def test_most_pairs_of_like_tempo_are_blended_for_eight_or_sixteen_bars():
    chance, kinds, borders = random.Random(3), Counter(), []
    while sum(kinds.values()) < 24:
        out = made_track(1, bpm=chance.uniform(118, 132), seed=chance.randrange(1 << 30))
        into = made_track(2, bpm=chance.uniform(118, 132), seed=chance.randrange(1 << 30))
        if abs(nearest(out.bpm, into.bpm)[1] - 1) <= 0.06:
            transition = plan_pair(out, into).transition
            kinds[transition.bars] += 1
            if transition.bars:
                borders.append(is_on_borders(*window(transition, out, into)))
    assert kinds[8] + kinds[16] >= 17  # 70 %
    assert sum(borders) >= 0.95 * len(borders)


def test_a_blend_lies_on_phrases_and_plays_the_outro_onto_the_intro():
    transition = plan_pair(made_track(1), made_track(2, seed=4)).transition
    one, _, each = window(transition, made_track(1), made_track(2, seed=4))
    assert transition.kind == "blend"
    assert one.label_at(one.edges_s[each.out_bar]) == "outro"
    assert each.in_bar == 0
    assert one.border[each.out_bar] >= PHRASE
    assert one.border[each.out_bar + each.bars] >= PHRASE


def bassy(number, **changes):
    """Return a track whose bass, drums and chords never stop, without voices."""
    track = made_track(number, seed=number, vocals_s=(), camelot="8A", **changes)
    loud = tuple(0.0 for _ in track.bass_db)
    return replace(track, bass_db=loud, drums_db=loud, tonal_db=loud)


def test_two_basses_never_sound_together_by_stems():
    moves = plan_pair(bassy(1), bassy(2)).transition.moves
    change = {m.control: m.at for m in moves if m.value in {"on", "off"} and "bass" in m.control}
    assert change["out.stem.bass.mute"] == change["in.stem.bass.mute"]
    assert change["in.stem.bass.mute"] % 4 == 0
    assert not any("eq" in m.control for m in moves)


def test_without_stems_the_low_bands_change_within_a_bar():
    transition = plan_pair(bassy(1, stems=()), bassy(2, stems=())).transition
    low = {m.control: m for m in transition.moves if "eq.low" in m.control and m.over}
    assert set(low) == {"in.eq.low.gain", "out.eq.low.gain"}
    for move in low.values():
        assert move.over <= 1
        assert (move.at + move.over) % 4 == 0
    assert not any("stem" in m.control for m in transition.moves)


def everywhere(track):
    """Return lines of 3 s, a second apart, over all of a track."""
    return tuple((t, t + 3.0) for t in range(1, int(track.length_s) - 4, 4))


def test_two_singers_without_stems_are_not_blended():
    out, into = bassy(1, stems=()), bassy(2, stems=())
    out, into = (replace(t, vocals_s=everywhere(t)) for t in (out, into))
    transition = plan_pair(out, into).transition
    assert transition.kind != "blend"
    assert "two voices" in transition.fallback


def test_two_singers_with_stems_are_blended_with_one_voice_at_a_time():
    out, into = bassy(1), bassy(2)
    out, into = (replace(t, vocals_s=everywhere(t)) for t in (out, into))
    transition = plan_pair(out, into).transition
    assert transition.kind == "blend"
    assert both_voices_s(transition, out, into)[0] <= BOTH_S + 0.15
    assert any("vocals.mute" in move.control for move in transition.moves)


@pytest.mark.parametrize("stems", [(), ("vocals", "drums", "bass", "other")])
def test_a_clash_of_keys_is_solved(stems):
    out = replace(bassy(1, stems=stems), camelot="1A")
    into = replace(bassy(2, stems=stems), camelot="6A")  # a semitone down is 11A, up 1A
    pair = plan_pair(out, into)
    if stems:
        assert any("drums alone" in w or "change at" in w for w in pair.transition.why)
    else:
        assert pair.pitch_st == 1
        short = plan_pair(out, into, MixSettings(shift_key=False)).transition
        assert short.bars <= 4


def test_tempi_within_the_limit_of_both_meet_in_the_middle():
    transition = plan_pair(made_track(1, bpm=120), made_track(2, bpm=127.2, seed=4)).transition
    assert transition.kind == "blend"
    assert transition.out_rate == pytest.approx(1.06**0.5, abs=1e-4)
    assert transition.out_glide_bars >= 16


def test_what_is_not_sure_has_a_price_and_a_reason():
    sure = plan_pair(made_track(1), made_track(2, seed=4)).transition
    into = made_track(2, seed=4, bar_confidence=0.2, variable=True)
    transition = plan_pair(made_track(1), into).transition
    assert (transition.out_bar, transition.bars) == (sure.out_bar, sure.bars)
    assert transition.prices["bars"] == 4
    assert transition.prices["variable"] == 3
    assert any("bars may not" in why for why in transition.why)


def test_where_it_is_not_known_who_sings_the_incoming_vocals_are_muted():
    out, into = replace(bassy(1), vocals_s=None), replace(bassy(2), vocals_s=None)
    transition = plan_pair(out, into).transition
    assert muted(transition, "in.stem.vocals.mute") == (0, transition.bars)
    silent = plan_pair(replace(out, vocals_s=()), into).transition
    assert muted(silent, "in.stem.vocals.mute") is None


def test_keys_that_clash_need_no_vocal_stem_of_a_track_that_does_not_sing():
    stems = ("drums", "bass", "other")
    out = replace(bassy(1, stems=stems), camelot="1A")
    into = replace(bassy(2, stems=stems), camelot="4B")
    transition = plan_pair(out, into).transition
    assert transition.kind == "blend"
    assert any("change at" in why or "drums alone" in why for why in transition.why)
    assert any(move.control == "in.stem.other.mute" for move in transition.moves)


def test_a_line_that_is_cut_at_both_ends_is_muted_in_both_tracks():
    out, into = bassy(1), bassy(2)
    length = out.length_s
    # Both sing through all places where a blend may begin or end, but for short gaps.
    out = replace(out, vocals_s=((100.0, length - 20.3), (length - 20.0, length)))
    into = replace(into, vocals_s=((0.0, 20.0), (20.5, 60.0)))
    transition = plan_pair(out, into).transition
    if transition.kind == "blend":
        both, cut_end, cut_start = both_voices_s(transition, out, into)
        assert both <= BOTH_S + 0.15
        assert max(cut_end, cut_start) <= CUT_S + 1e-6


def test_half_the_tempo_is_blended():
    out, into = made_track(1, bpm=170.0), made_track(2, bpm=86.0, seed=4, camelot=None)
    pair = plan_pair(out, into)
    assert (pair.transition.kind, pair.transition.ratio) == ("blend", 0.5)
    assert not list(broken_rules(pair, out, into))


@pytest.mark.parametrize(
    ("change", "words", "kind"),
    [
        ({"grid": None}, "no beats", "fade"),
        ({"confidence": 0.2}, "not sure", "fade"),
        ({"length_s": 20.0}, "too short", "fade"),
        ({"length_s": 0.0}, "length", "follow"),
        ({"bpm": 150.0, "camelot": None}, "tempo", "fade"),
        ({"name": "Somebody - Song (Live)"}, "live", "follow"),
    ],
)
def test_what_cannot_be_blended_says_which_and_why(change, words, kind):
    into = made_track(2, **({"bpm": 150.0} if "bpm" in change else {}), seed=4)
    into = replace(into, **change)
    transition = plan_pair(made_track(1), into).transition
    assert words in transition.fallback
    assert transition.kind == kind


def faded(out_db: float = 0.0, in_db: float = 0.0) -> dict[str, list[Move]]:
    """Return the moves of a fade, whose tracks are louder by so much at their ends."""
    form = {"verse": 16, "drop": 32}
    out = made_track(1, bars=form, vocals_s=())
    into = made_track(2, bpm=150.0, bars=form, vocals_s=())
    out = replace(out, loudness=(*out.loudness[:-24], *(v + out_db for v in out.loudness[-24:])))
    into = replace(into, loudness=(*(v + in_db for v in into.loudness[:24]), *into.loudness[24:]))
    transition = plan_pair(out, into).transition
    assert transition.kind == "fade"
    found: dict[str, list[Move]] = {}
    for move in transition.moves:
        found.setdefault(move.control, []).append(move)
    return found


def test_a_loud_track_comes_in_sooner_beside_a_soft_end():
    whole, sooner = (faded(out_db=level)["in.fader"][-1].over for level in (0.0, -15.0))
    assert 0 < sooner < whole


def test_a_loud_end_goes_late_over_a_soft_beginning():
    assert faded(in_db=-15.0)["out.fader"][0].at > faded()["out.fader"][0].at


def test_the_basses_of_a_fade_are_exchanged_in_its_middle():
    moves = faded()
    length = moves["out.fader"][0].over
    assert moves["out.eq.low.gain"][0].at + moves["out.eq.low.gain"][0].over == length / 2
    assert [move.value for move in moves["in.eq.low.gain"]] == [-26.0, 0.0]


def test_different_meters_meet_for_two_bars_at_most():
    transition = plan_pair(made_track(1), made_track(2, beats_per_bar=3)).transition
    assert "4 beats a bar against 3" in transition.fallback
    assert transition.seconds <= 2 * 4 * 60 / 126 + 0.01


def test_an_album_in_sequence_is_played_without_a_gap():
    album = {"artist": "A", "album": "One"}
    out, into = made_track(1, **album, album_number=3), made_track(2, **album, album_number=4)
    transition = plan_pair(out, into).transition
    assert (transition.kind, transition.out_s) == ("follow", round(out.length_s, 3))
    assert transition.in_s == 0
    assert plan_pair(
        replace(out, album_number=4), replace(into, album_number=3)
    ).transition.kind == ("blend")


def test_a_fade_out_is_left_alone():
    track = made_track(1)
    levels = list(track.loudness)
    count = 36  # half seconds
    for n in range(count):
        levels[-count - 1 + n] = -9 - 0.9 * n
    track = replace(track, loudness=tuple(levels))
    assert fade_out_s(Timeline(track)) is not None
    assert fade_out_s(Timeline(made_track(1))) is None
    transition = plan_pair(track, made_track(2)).transition
    assert (transition.kind, transition.moves) == ("follow", ())
    assert track.length_s - 12 < transition.out_s < track.length_s - 2


@pytest.mark.parametrize(
    ("name", "live"),
    [
        ("A - Song (Live)", True),
        ("A - Song [live at Wembley]", True),
        ("A - Live in Paris 1999", True),
        ("A - Live and Let Die", False),
        ("Live - I Alone", False),
        ("A - Song - Live", True),
        ("A - Song, live from the BBC", True),
        ("A - Alive", False),
        ("A - We Live in Time", False),
    ],
)
def test_a_live_recording_is_known_by_its_name(name, live):
    assert is_live(TrackFacts(1, name)) is live


def test_two_loud_parts_are_trimmed():
    form = {"drop": 96}
    loud = [replace(made_track(n, bars=form, seed=n, camelot="8A"), vocals_s=()) for n in (1, 2)]
    transition = plan_pair(*loud).transition
    trims = [m for m in transition.moves if m.control == "out.trim"]
    assert transition.kind == "blend"
    assert "loudness" not in transition.prices
    assert all(-6 <= m.value <= 0 for m in trims)


def test_no_transition_begins_before_the_tempo_is_free():
    out = made_track(1)
    free = out.length_s - 20
    transition = plan_pair(out, made_track(2, seed=4), None, Entered(0, free)).transition
    if transition.kind == "blend":
        assert Timeline(out).edges_s[int(transition.out_bar)] >= free - 0.1
    else:
        assert transition.out_s >= free


def test_a_plan_of_any_tracks_finds_nothing_to_correct():
    chance = random.Random(8)
    tracks = [any_track(chance, number) for number in range(1, 31)]
    assert not list(findings(plan_mix(tracks)))
