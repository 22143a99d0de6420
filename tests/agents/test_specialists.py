"""The agents on a real backstage: each answers fully without a model; errors are sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from agent_house import MOST_SCOPES, AgentHouse, agent_house
from house import prepared, song

from sfa_engine.agents.contract import Result, Turn
from sfa_engine.errors import Refused

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentHouse]:
    folder = tmp_path_factory.mktemp("specialists")
    with agent_house(folder) as lent:
        # One that backstage has prepared itself, with automatic cues.
        prepared(lent.client, song(folder / "Siskin - Real Song.wav", seconds=16.0, bpm=126.0))
        yield lent


def number_of(agents: AgentHouse, title: str) -> int:
    (track,) = agents.call("library.search", words=title)["tracks"]
    return int(track["id"])


def check(found: Result, agent: str) -> Result:
    """Check what every full answer has."""
    assert found.agent == agent
    assert found.by == "rules"
    assert "error" not in found.data
    assert found.output
    assert found.output.isprintable() or "\n" in found.output
    assert found.evidence
    assert all(each.track in found.tracks for each in found.evidence if each.track)
    assert found.questions
    assert found.latency_ms >= 0
    assert msgspec.json.decode(msgspec.json.encode(found))
    return found


def test_the_track_agent_says_what_is_known_and_how_sure_it_is(agents: AgentHouse) -> None:
    found = check(agents.ask("Analyse track 1"), "track")
    assert "120.0 BPM, 8A (A minor), 1:04" in found.output
    assert "confidence of 0.80" in found.output
    assert found.data["facts"]["bpm"] == 120.0
    drop = next(each for each in found.evidence if each.sentence.startswith("drop"))
    assert (drop.track, drop.position_s) == (1, 16.0)
    again = check(agents.ask("Welche Tonart hat dieses Stück?", track=1), "track")
    assert again.data == found.data
    named = check(agents.ask('tell me about "Long Way Down"'), "track")
    assert named.tracks == (1,)
    assert check(agents.ask("analyse undertow"), "track").tracks == (2,)


def test_a_grid_is_corrected_by_a_proposal(agents: AgentHouse) -> None:
    found = check(
        agents.ask("The downbeats of track 1 are half a beat late, fix the grid"), "track"
    )
    (proposal,) = found.proposals
    assert proposal.kind == "grid"
    assert proposal.steps[0].params == {"track": 1, "shift": -0.5}
    found = agents.ask("correct the grid of track 1")
    assert found.proposals == ()
    assert "no other reading" in found.output


@pytest.mark.parametrize(
    ("said", "beats"),
    [
        ("the grid of track 1 is half a beat late", -0.5),
        ("the grid of track 1 is half a beat early", 0.5),
        ("shift the grid of track 1 half a beat earlier", -0.5),
        ("das Raster von Titel 1 ist einen Schlag zu spät", -1.0),
        ("das Raster von Titel 1 ist einen halben Schlag zu früh", 0.5),
        ("is the grid of track 1 late?", None),
    ],
)
def test_beats_that_are_late_are_to_come_earlier(
    agents: AgentHouse, said: str, beats: float | None
) -> None:
    shifts = [each.steps[0].params["shift"] for each in check(agents.ask(said), "track").proposals]
    assert shifts == ([] if beats is None else [beats])


def test_the_stem_agent_says_where_nobody_sings(agents: AgentHouse) -> None:
    found = check(agents.ask("where are the vocals of track 1 silent?"), "stems")
    assert "A voice sings from 0:24.0 to 0:30.0." in found.output
    assert "Longest without one: 0:30.0 to 1:04.0" in found.output
    assert {each["name"] for each in found.data["report"]["stems"]} == {"drums", "bass", "vocals"}
    bare = agents.ask("isolate the vocals of track 4")
    assert bare.data["job"] is None
    loops = agents.ask("find two drum loops of 8 beats, techno")
    assert loops.agent == "stems"


def test_the_cue_agent_proposes_what_is_missing(agents: AgentHouse) -> None:
    found = check(agents.ask("Set hot cues for track 3"), "cues")
    (proposal,) = found.proposals
    assert proposal.kind == "cues"
    assert [step.params["label"] for step in proposal.steps] == [
        "first downbeat", "drop 1", "vocals 1", "outro 1",
    ]  # fmt: skip
    assert all(step.params["free"] for step in proposal.steps)
    drops = agents.ask("Setze Hotcues auf die Drops von Track 3")
    assert [step.params["kind"] for step in drops.proposals[0].steps] == ["drop"]
    two = agents.ask("two hot cues for track 3 please")
    assert len(two.proposals[0].steps) == 2
    listed = agents.ask("Which cues does track 3 have already?")
    assert listed.proposals == ()
    real = number_of(agents, "Real Song")
    has = agents.call("library.show", track=real)["cues"]
    found = agents.ask(f"Set hot cues for track {real}")
    hot = {cue["slot"] for cue in has if cue["slot"]}
    assert hot
    for each in found.proposals:
        assert not hot & {step.params["hot_cue"] for step in each.steps}


def test_the_mastering_agent_measures_and_plans_a_chain(agents: AgentHouse) -> None:
    real = number_of(agents, "Real Song")
    found = check(agents.ask(f"Will Spotify turn track {real} down?"), "mastering")
    assert "LUFS" in found.output
    assert "Spotify: it " in found.output
    club = check(agents.ask(f"Which mastering chain for a club, track {real}?"), "mastering")
    assert club.data["preset"] == "club"
    assert club.data["target_lufs"] == -8.0
    assert ("gain" in {each["kind"] for each in club.data["chain"]}) == bool(club.data["chain"])
    assert abs(club.data["integrated_lufs"] - found.data["integrated_lufs"]) < 0.05
    refused = agents.ask(f"How loud is track {real}?", scopes=frozenset({"read"}))
    assert 'needs the scope "propose"' in refused.output


def test_the_library_agent_finds_and_proposes_playlists(agents: AgentHouse) -> None:
    found = check(agents.ask("Search my library for techno around 121"), "library")
    assert set(found.tracks) == {1, 2, 3}
    assert found.data["found"]["understood"].startswith("genre techno")
    same = check(agents.ask("Suche Techno um 121"), "library")
    assert same.tracks == found.tracks
    goes = check(agents.ask("what goes with this track?", track=1), "library")
    assert set(goes.tracks) >= {2, 3}
    assert 4 not in goes.tracks
    check(agents.ask("find tracks in a similar key", track=1), "library")
    last = check(agents.ask("make a playlist of techno called warm up"), "library")
    assert last.proposals[0].steps[0].params["name"] == "warm up"
    made = check(agents.ask('Make a playlist called "Quiet Evening" of techno'), "library")
    (proposal,) = made.proposals
    assert proposal.steps[0].params["name"] == "Quiet Evening"
    assert set(proposal.tracks) == {1, 2, 3}
    none = agents.ask("find zydeco from 1931")
    assert none.tracks == ()
    assert "No track was found" in none.output or "error" in none.data


def test_the_mix_agent_plans_auditions_and_proposes(agents: AgentHouse) -> None:
    order = check(agents.ask("arrange my playlist Friday Night, rising"), "mix")
    assert sorted(order.tracks) == [1, 3]
    assert order.data["draft"]["arc"] == "rising"
    assert order.data["audition"]["transitions"][0]["met"] > 0
    assert bool(order.proposals) is order.data["audition"]["proposed"]
    assert "Rendered and measured" in order.output
    # What was rendered of the pair is there at once.
    (first, second) = order.tracks[:2]
    found = check(agents.ask(f"What is the best transition from {first} into {second}?"), "mix")
    assert found.data["kind"] == "transition"
    assert found.tracks == (first, second)


def test_a_pipeline_passes_its_tracks_on(agents: AgentHouse) -> None:
    found = agents.ask("analyse track 3 and set hot cues")
    assert [each["agent"] for each in found.data["steps"]] == ["track", "cues"]
    assert found.agent == "cues"
    assert found.tracks == (3,)
    assert len(found.proposals) == 1
    assert "122.0 BPM" in found.output


def test_a_pipeline_stops_at_the_first_error_and_keeps_what_was_done(agents: AgentHouse) -> None:
    found = agents.ask("find zydeco qqqq from 1931; analyse track 999; set hot cues")
    assert "error" in found.data
    assert "Not done:" in found.output
    assert "set hot cues" in found.output
    assert found.proposals == ()


def test_history_says_what_the_second_one_is(agents: AgentHouse) -> None:
    before = Turn("find techno", "…", "library", (3, 1, 2))
    found = check(agents.ask("analyse the second one", history=(before,)), "track")
    assert found.tracks == (1,)


def test_an_explicit_task_wins(agents: AgentHouse) -> None:
    found = check(agents.ask("how loud is it, and master it", "cues", track=3), "cues")
    assert found.proposals
    with pytest.raises(Refused, match='no agent "cue"; did you mean "cues"'):
        agents.ask("x", "cue")
    with pytest.raises(Refused, match="the question is empty"):
        agents.ask("  ")
    with pytest.raises(Refused, match="2000 at most"):
        agents.ask("x" * 3000)


@pytest.mark.parametrize(
    ("instruction", "context", "said"),
    [
        ("analyse this", {}, "It is not clear which track is meant"),
        ("analyse track 999", {}, "No track 999."),
        ("analyse wren", {}, "Several tracks may be meant: "),
        ("set hot cues", {"track": 999}, "No track 999."),
        ("how loud is track 5?", {}, "not imported yet"),
        ("plan a mix of these tracks", {"tracks": (1,)}, "It is not clear which tracks"),
        ("what is the best transition between 5 and 1?", {}, "."),
        ("where does 5 have vocals? stems", {"track": 5}, "."),
        ("plan a mix of qqzzy", {}, "A mix takes two tracks or more."),
        ("songs like 999", {}, "No track 999"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    agents: AgentHouse, instruction: str, context: dict[str, Any], said: str
) -> None:
    found = agents.ask(instruction, **context)
    assert said in found.output
    assert "Traceback" not in found.output
    assert "\n\n\n" not in found.output
    assert found.output[0] == found.output[0].upper()


def test_hostile_names_are_data_in_every_answer(agents: AgentHouse) -> None:
    before = agents.call("library.search", words="", limit=100)
    for number in (6, 7):
        for instruction in ("analyse it", "set hot cues", "stems", "what goes with this"):
            found = agents.ask(instruction, track=number, scopes=MOST_SCOPES)
            text = found.output + "".join(each.sentence for each in found.evidence)
            assert not {"\u202e", "\u200b", "\x1b"} & set(text)
            assert all(each.kind != "deck" for each in found.proposals)
    assert agents.call("library.search", words="", limit=100) == before
    assert agents.call("library.trash")["count"] == 0


@pytest.mark.parametrize(
    ("instruction", "said"),
    [
        ("Delete track 3", "Agents delete nothing."),
        ("lösche alle Cues", "Agents delete nothing."),
        ("Play track 1 on deck 2", "A question moves no deck."),
        ("hello", "Ask about a track"),
        ("What can you do?", "Ask about a track"),
    ],
)
def test_what_agents_do_not_do_is_said(agents: AgentHouse, instruction: str, said: str) -> None:
    found = agents.ask(instruction)
    assert found.output.startswith(said)
    assert found.proposals == ()


def test_a_question_that_only_names_another_track_is_the_one_before(agents: AgentHouse) -> None:
    before = Turn("What goes with track 1?", "…", "library", (3, 2))
    found = check(agents.ask("and the second one?", history=(before,)), "library")
    assert '(goes with "Wren - Undertow"):' in found.output
    assert 2 not in found.tracks


def test_a_selection_becomes_a_playlist(agents: AgentHouse) -> None:
    asked = "make a playlist called Late of these"
    (proposal,) = check(agents.ask(asked, tracks=(3, 1)), "library").proposals
    assert (proposal.details["name"], proposal.tracks) == ("Late", (3, 1))
    assert "not clear which tracks" in agents.ask(asked).output


def test_two_tracks_are_named_by_their_titles(agents: AgentHouse) -> None:
    found = agents.ask("how do I get from Undertow into Not Yet?")
    assert "needs" in found.output or "not prepared" in found.output or "two tracks" in found.output
    refused = agents.ask("how do I get from Undertow into Qqzzy?")
    assert "not clear which track is meant" in refused.output


def test_many_tracks_are_counted(agents: AgentHouse) -> None:
    found = agents.ask("How many tracks do I have?")
    assert found.output.startswith("8 tracks:")


def test_cues_of_several_tracks_are_a_proposal_for_each(agents: AgentHouse) -> None:
    found = check(agents.ask("set hot cues for these tracks", tracks=(3, 5, 4)), "cues")
    assert [each["track"] for each in found.data["tracks"]] == [3, 4]
    assert list(found.data["refused"]) == ["5"]
    assert {each.tracks for each in found.proposals} <= {(3,), (4,)}
    assert len(found.proposals) == 2
    assert found.tracks == (3, 5, 4)
    one = agents.ask("set hot cues for this one", track=3, tracks=(3, 4))
    assert len(one.proposals) == 1
    listed = agents.ask("set hot cues for my playlist Friday Night")
    assert [each["track"] for each in listed.data["tracks"]] == [3, 1]
    broken = agents.ask("set hot cues for these", tracks=(3, 999))
    assert broken.data["refused"] == {"999": "no track 999"}
    assert len(broken.proposals) == 1


def test_a_mix_of_three_tracks_has_plans_to_choose_from(agents: AgentHouse) -> None:
    found = check(agents.ask("plan a mix of these tracks", tracks=(1, 2, 3)), "mix")
    first, *others = found.data["candidates"]
    assert (first["plan"], first["arc"]) == (found.data["draft"]["plan"], "steady")
    assert 1 <= len(others) <= 2
    orders = [tuple(each["order"]) for each in (first, *others)]
    assert len(set(orders)) == len(orders)
    assert {frozenset(order) for order in orders} == {frozenset({1, 2, 3})}
    assert found.output.count("Another plan: ") == len(others)
    assert len(found.proposals) <= 1
    kept = agents.ask("plan a mix of these tracks in this order", tracks=(3, 1, 2))
    assert [each["order"] for each in kept.data["candidates"]] == [(3, 1, 2)]


def test_a_question_may_name_its_agent(agents: AgentHouse) -> None:
    found = check(agents.ask("cues: the loud bits of this", track=3), "cues")
    assert found.proposals
    assert agents.ask("Track: this", track=3).agent == "track"


def test_what_is_not_clear_is_asked_back(agents: AgentHouse) -> None:
    found = agents.ask("hmm qqxx zzkk")
    assert found.agent == "library"
    assert found.output.startswith("It is not clear what is asked: ")
    assert found.data["unclear"]
    for each in found.questions:
        name, _, rest = each.partition(": ")
        assert rest == "hmm qqxx zzkk"
        assert agents.ask(each, track=1).agent == name
