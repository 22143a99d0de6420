"""The tools on a real backstage: what they return, what they refuse, and any parameters at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from agent_house import MOST_SCOPES, AgentHouse, agent_house
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfa_engine.agents.tools.all import TOOLS, use
from sfa_engine.agents.tools.answer import MAX_BYTES
from sfa_engine.agents.tools.tool import Workbench
from sfa_engine.errors import Absent, Forbidden, Refused, SfaError

pytestmark = pytest.mark.slow

SEARCH = {"words": "techno", "this": None, "limit": 10}


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentHouse]:
    with agent_house(tmp_path_factory.mktemp("agents")) as lent:
        yield lent


def test_a_search_returns_rows_and_lets_their_tracks_be_used(agents: AgentHouse) -> None:
    async def search(bench: Workbench) -> tuple[Any, set[int]]:
        with pytest.raises(Refused, match="no tool has returned a track 1"):
            await use(bench, "track_facts", {"track": 1})
        found = await use(bench, "library_search", SEARCH)
        assert await use(bench, "track_facts", {"track": 1})
        return found, bench.tracks

    found, tracks = agents.run(search)
    assert {row.id for row in found.tracks} == tracks == {1, 2, 3}
    assert found.count == 3
    assert found.understood == "genre techno"
    assert found.tracks[0].camelot == "8A"
    assert found.tracks[0].why


def test_names_of_strangers_are_cut_and_visible(agents: AgentHouse) -> None:
    found = agents.use("library_search", {"words": "Mallory", "this": None, "limit": 5})
    assert {row["id"] for row in found["tracks"]} == {6, 7}
    for number in (6, 7):
        facts = agents.use("track_facts", {"track": number}, tracks=[number])
        for name in ("name", "title", "artist"):
            assert len(facts[name]) <= 120
            assert facts[name].isprintable()
    with pytest.raises(SfaError) as caught:
        agents.use("propose_grid_shift", {"track": 6, "change": "alternative_1"}, tracks=[6])
    assert caught.value.message.isprintable()


def test_facts_have_grid_neighbours_sections_and_what_is_doubtful(agents: AgentHouse) -> None:
    facts = agents.use("track_facts", {"track": 1}, tracks=[1])
    assert (facts["bpm"], facts["key"], facts["camelot"]) == (120.0, "A minor", "8A")
    assert set(facts["neighbours"]) == {"8A", "7A", "9A", "8B"}
    assert facts["grid"]["confidence"] == 0.8
    assert [each["label"] for each in facts["sections"]] == ["intro", "drop", "outro"]
    assert set(facts["stems"]) == {"bass", "drums", "vocals"}
    assert not facts["flags"]
    bare = agents.use("track_facts", {"track": 5}, tracks=[5])
    assert bare["grid"] is None
    assert "it has not been analysed" in bare["flags"]


def test_stems_are_reported_by_section_with_the_parts_without_a_voice(agents: AgentHouse) -> None:
    found = agents.use("stem_report", {"track": 1}, tracks=[1])
    assert {stem["name"] for stem in found["stems"]} == {"drums", "bass", "vocals"}
    intro, drop, outro = found["stems"][0]["sections"]
    assert (intro["active_pct"], outro["active_pct"]) == (0.0, 100.0)
    assert 0 < drop["active_pct"] < 100  # it comes in at half of the track, 32 s
    assert list(found["vocals"]) == [{"start_s": 24.0, "end_s": 30.0}]
    assert found["without_vocals"][0] == {"start_s": 30.0, "end_s": 64.0}
    assert found["problem"] == ""
    with pytest.raises(Refused, match="is not imported yet"):
        agents.use("stem_report", {"track": 5}, tracks=[5])


def test_similar_and_compatible_tracks_are_those_of_the_library(agents: AgentHouse) -> None:
    found = agents.use("compatible_tracks", {"track": 1, "limit": 10}, tracks=[1])
    expected = agents.call("library.compatible", track=1)
    assert [row["id"] for row in found["tracks"]] == [each["id"] for each in expected["tracks"]]
    assert 4 not in [row["id"] for row in found["tracks"]]  # 150 BPM
    found = agents.use("similar_tracks", {"track": 1, "limit": 2}, tracks=[1])
    assert len(found["tracks"]) == 2


def test_cues_are_proposed_on_free_numbers_and_those_by_hand_stay(agents: AgentHouse) -> None:
    agents.call("library.cue", track=2, position_s=16.1, hot_cue=2, label="mine")

    async def propose(bench: Workbench) -> tuple[Any, Any]:
        asked = {"track": 2, "kinds": ["intro", "drop", "outro", "vocals"], "most": 8}
        found = await use(bench, "propose_cues", asked)
        return found, bench.proposals

    found, (proposal,) = agents.run(propose, tracks=[2])
    places = {each.label: (each.position_s, each.hot_cue) for each in found.cues}
    assert places.keys() == {"first downbeat", "outro 1", "vocals 1"}
    assert places["first downbeat"] == (0.0, 1)
    assert places["outro 1"] == (44.0, 4)
    assert found.by_hand == 1
    assert any("drop 1" in each and "by hand" in each for each in found.skipped)
    # At 121 BPM a bar has 1.983 s; the voice comes in at 24 s.
    assert places["vocals 1"][0] == pytest.approx(12 * 4 * 60 / 121, abs=0.01)
    before = agents.call("library.show", track=2)["cues"]
    for step in proposal.steps:
        assert step.verb == "library.cue"
        agents.call(step.verb, **step.params)
    after = agents.call("library.show", track=2)["cues"]
    assert len(after) == len(before) + 3
    assert all(cue in after for cue in before)
    # Once they are there nothing is left to propose; a number that is by hand is not taken.
    found, proposals = agents.run(propose, tracks=[2])
    assert found.cues == ()
    assert proposals == []
    with pytest.raises(Refused, match="hot cue 2 is set by hand"):
        agents.call("library.cue", track=2, position_s=1.0, hot_cue=2, free=True)


def test_a_playlist_and_a_grid_are_proposed_and_change_nothing(agents: AgentHouse) -> None:
    async def propose(bench: Workbench) -> list[Any]:
        asked = {"name": "Late\u202e set", "tracks": [3, 1, 3]}
        await use(bench, "propose_playlist", asked)
        found = await use(bench, "propose_playlist", {"name": "friday night", "tracks": [1]})
        assert found.appends  # type: ignore[attr-defined]
        await use(bench, "propose_grid_shift", {"track": 3, "change": "double"})
        return bench.proposals

    grid = agents.call("library.show", track=3)["grid"]
    lists = agents.call("library.playlists")
    first, second, third = agents.run(propose, tracks=[1, 3])
    assert agents.call("library.playlists") == lists
    assert agents.call("library.show", track=3)["grid"] == grid
    assert first.steps[0].params == {"name": "Late set", "tracks": ["#3", "#1"]}
    assert second.details["appends"]
    assert third.details["new_bpm"] == 244.0
    for each in (first, third):
        for step in each.steps:
            agents.call(step.verb, **step.params)
    entries = agents.call("library.playlist", name="Late set")["entries"]
    assert [each["id"] for each in entries] == [3, 1]
    assert agents.call("library.show", track=3)["grid"]["bpm"] == 244.0
    with pytest.raises(Refused, match="set by hand"):
        agents.use("propose_grid_shift", {"track": 3, "change": "halve"}, tracks=[3])
    agents.call("library.grid", track=3, automatic=True)


def test_a_transition_is_proposed_after_its_audition_only(agents: AgentHouse) -> None:
    async def plan(bench: Workbench) -> tuple[Any, Any, Any]:
        draft: Any = await use(bench, "plan_transition", {"out": 1, "into": 2})
        other = {"plan": "draft-0123456789ab", "transition": None, "propose": True, "name": None}
        with pytest.raises(Refused, match="no tool has returned a plan"):
            await use(bench, "audition", other)
        asked = {"plan": draft.plan, "transition": 1, "propose": True, "name": None}
        heard: Any = await use(bench, "audition", asked)
        return draft, heard, bench

    draft, heard, bench = agents.run(plan, tracks=[1, 2])
    (transition,) = draft.transitions
    assert (transition.out, transition.into) == (1, 2)
    assert draft.length_s > 64
    (rendered,) = heard.transitions
    assert rendered.met + len(rendered.missed) >= 8
    assert heard.proposed is not bool(heard.vetoes)
    assert len(bench.proposals) == int(heard.proposed)
    assert agents.call("mix.list")["mixes"] == []
    files = agents.call("mix.auditioned", name=draft.plan, transition=1)["files"]
    assert [each["name"] for each in files] == ["sound", "picture"]
    for proposal in bench.proposals:
        (step,) = proposal.steps
        assert proposal.audition == draft.plan
        saved = agents.call(step.verb, **step.params)
        assert saved["name"] == "1-into-2"
        with pytest.raises(Refused, match="was changed meanwhile"):
            agents.call(step.verb, **step.params)  # one of its name is not replaced
        agents.call("mix.remove", name="1-into-2")
    with pytest.raises(Refused, match="is the name of a draft"):
        agents.call("mix.save", name=draft.plan, text="version = 1\n")


def test_a_plan_with_a_veto_is_not_proposed(agents: AgentHouse) -> None:
    async def plan(bench: Workbench) -> tuple[Any, int]:
        asked = {"tracks": [3, 1], "arc": "rising", "first": 3, "last": None, "keep_order": False}
        draft: Any = await use(bench, "plan_order", asked)
        assert [each.id for each in draft.tracks] == [3, 1]
        goals = [{"name": "voices_s", "value": 2.5, "goal": "0", "is_met": False}]
        bench.auditioned[f"{draft.plan}/1"] = {"length_s": 30.0, "measures": {}, "goals": goals}
        asked = {"plan": draft.plan, "transition": None, "propose": True, "name": "x"}
        return await use(bench, "audition", asked), len(bench.proposals)

    heard, proposals = agents.run(plan, tracks=[1, 3])
    assert heard.vetoes == ("transition 1: two voices sing for 2.5 s",)
    assert (heard.proposed, proposals) == (False, 0)


def test_loudness_is_measured_once_and_says_what_platforms_do(agents: AgentHouse) -> None:
    asked = {"track": 4, "preset": "club"}
    found = agents.use("loudness_report", asked, tracks=[4])
    spotify = next(each for each in found["platforms"] if each["platform"] == "Spotify")
    over = round(found["integrated_lufs"] + 14.0, 1)
    if over > 0:
        assert spotify["change_db"] == pytest.approx(-over, abs=0.11)
    assert found["target_lufs"] == -8.0
    assert sum(found["shares"].values()) == pytest.approx(1.0, abs=0.01)
    jobs = agents.call("jobs.list", track=4)["jobs"]
    assert agents.use("loudness_report", asked, tracks=[4]) == found
    assert len(agents.call("jobs.list", track=4)["jobs"]) == len(jobs)
    with pytest.raises(Forbidden, match='needs the scope "propose"'):
        agents.use("loudness_report", asked, tracks=[4], scopes=frozenset({"read"}))


def test_loops_of_the_library_are_found_by_words(agents: AgentHouse) -> None:
    found = agents.use("loops", {"words": "2 drum loops of 8 beats, techno"})
    assert all(each["stem"] == "drums" and each["beats"] == 8 for each in found["loops"])
    assert all(each["name"] for each in found["loops"])


def test_a_tool_beyond_what_was_given_is_refused(agents: AgentHouse) -> None:
    asked = {"job": "analyse", "track": 1, "preset": "streaming"}
    with pytest.raises(Forbidden, match='job_start needs the scope "prepare"'):
        agents.use("job_start", asked, tracks=[1])
    with pytest.raises(Forbidden, match='deck_act needs the scope "perform"'):
        agents.use("deck_act", {"deck": 1, "action": "stop", "track": None, "place": None})
    with pytest.raises(Refused, match='no tool "library_delete"'):
        agents.use("library_delete", {})
    started = agents.use("job_start", asked, tracks=[1], scopes=MOST_SCOPES)
    agents.call("jobs.cancel", everything=True)
    assert started["batch"]


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("library_search", {}, "words"),
        ("library_search", {**SEARCH, "more": 1}, "more"),
        ("library_search", {**SEARCH, "limit": "10"}, "limit"),
        ("library_search", {**SEARCH, "limit": 10.5}, "limit"),
        ("library_search", {**SEARCH, "words": "x" * 401}, "words"),
        ("track_facts", {"track": True}, "track"),
        ("track_facts", {"track": 0}, "track"),
        ("track_facts", [1], "track_facts"),
        ("track_facts", None, "track_facts"),
        ("propose_cues", {"track": 1, "kinds": ["bang"], "most": 1}, "kinds"),
        ("audition", {"plan": "../x", "transition": None, "propose": False, "name": None}, "plan"),
        ("plan_order", {"tracks": [1], "arc": "up", "first": None}, "plan_order"),
    ],
)
def test_wrong_parameters_are_refused_with_the_name_of_the_field(
    agents: AgentHouse, name: str, params: Any, said: str
) -> None:
    with pytest.raises(Refused) as caught:
        agents.use(name, params)
    assert said in caught.value.message
    assert "\n" not in str(caught.value)


def test_a_track_that_is_not_there_is_absent(agents: AgentHouse) -> None:
    with pytest.raises(Absent, match="no track 999"):
        agents.use("track_facts", {"track": 999}, tracks=[999])


# ---------------------------------------------------------------------- any parameters

_SMALL = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 12), st.integers(), st.floats(),
    st.text(max_size=20), st.sampled_from(["analyse", "rising", "intro", "load", "streaming"]),
)  # fmt: skip
_ANY = st.recursive(
    _SMALL,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
)


def _near(field: Any) -> st.SearchStrategy[Any]:
    """Return values that are nearly right for a field, and any others."""
    right = {
        "track": st.integers(1, 8), "out": st.integers(1, 8), "into": st.integers(1, 8),
        "words": st.text(min_size=1, max_size=60), "limit": st.integers(1, 40),
        "this": st.none() | st.integers(1, 8), "name": st.none() | st.text(max_size=12),
        "tracks": st.lists(st.integers(1, 8), max_size=5), "most": st.integers(1, 8),
        "kinds": st.lists(st.sampled_from(["intro", "drop", "vocals"]), max_size=3),
        "deck": st.integers(1, 4), "first": st.none() | st.integers(1, 8),
        "keep_order": st.booleans(), "transition": st.none(), "place": st.none(),
    }  # fmt: skip
    return st.one_of(right.get(field, _SMALL), _ANY)


@pytest.mark.parametrize(
    "name", [name for name in TOOLS if name not in {"job_start", "audition", "loudness_report"}]
)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_parameters_are_answered_or_refused_in_one_line(
    agents: AgentHouse, name: str, data: st.DataObject
) -> None:
    tool = TOOLS[name]
    fields = {field: _near(field) for field in tool.params.__struct_fields__}
    params = data.draw(st.fixed_dictionaries(fields) | _ANY)
    try:
        found = agents.run(
            lambda bench: use(bench, name, params), tracks=range(1, 9), scopes=MOST_SCOPES
        )
    except SfaError as error:
        said = error.code, str(error)
        assert said[0] not in {"fault", "error"}, said
        assert "\n" not in said[1]
        return
    assert isinstance(found, tool.answer)
    assert len(msgspec.json.encode(found)) <= MAX_BYTES


@pytest.mark.parametrize("name", ["job_start", "audition", "loudness_report"])
@given(params=_ANY)
@settings(max_examples=30)
def test_no_other_parameters_start_a_job(name: str, params: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(params, TOOLS[name].params, strict=True)
