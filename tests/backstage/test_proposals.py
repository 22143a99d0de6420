"""Proposals on a real backstage: applied, undone, refused, and what a kill leaves."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from house import prep_context
from proposal_shop import ANN, BOB, ProposalShop, proposal, proposal_shop

from sfa_engine.agents.contract import AGENTS, Proposal, ProposalKind, Step
from sfa_engine.agents.proposal_store import MAX_OPEN, STATES
from sfa_engine.backstage.audit import Auditor
from sfa_engine.backstage.mixes.store import digest_of
from sfa_engine.backstage.proposals.rules import ALLOWED, MAX_STEPS, work_of
from sfa_engine.backstage.verb_caller import VerbCaller
from sfa_engine.backstage.verbs.agents import DESCRIBED
from sfa_engine.backstage.verbs.mixes import MixVerbs
from sfa_engine.backstage.verbs.proposals import ProposalVerbs, State
from sfa_engine.errors import Absent, EngineError, Forbidden, LibraryError, Locked, Refused
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.verbs import SCOPES

pytestmark = pytest.mark.slow
PLAN, OTHER_PLAN = "version = 1\n# of an agent\n", "version = 1\n"
CUE = ("library.cue", {"track": 1, "position_s": 4.25, "hot_cue": 3, "label": "vox"})
# Takes the number of an analysed one.
CUE_OVER = ("library.cue", {"track": 1, "position_s": 12.25, "hot_cue": 1, "color": "#ff8800"})
GRID = ("library.grid", {"track": 2, "shift": 0.5})
NEW_LIST = ("library.playlist_add", {"name": "Made", "tracks": ["#1", "#3", "#1"]})
OLD_LIST = ("library.playlist_add", {"name": "there", "tracks": ["#2"]})
NEW_PLAN = ("mix.save", {"name": "made", "text": PLAN})
OLD_PLAN = ("mix.save", {"name": "there", "text": PLAN})


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with proposal_shop(tmp_path_factory.mktemp("shop")) as made:
        made.client.call("library.playlist_add", name="There", tracks=["#1", "#2"])
        made.client.call("mix.save", name="there", text=OTHER_PLAN)
        yield made


def apply(shop: ProposalShop, number: int, **params: Any) -> dict[str, Any]:
    said: dict[str, Any] = shop.client.call("proposals.apply", proposal=number, **params)
    return said


def undo(shop: ProposalShop, number: int) -> dict[str, Any]:
    said: dict[str, Any] = shop.client.call("proposals.undo", proposal=number)
    return said


def show(shop: ProposalShop, number: int) -> dict[str, Any]:
    said: dict[str, Any] = shop.client.call("proposals.show", proposal=number)
    return said


@pytest.mark.parametrize(
    ("kind", "steps", "changed"),
    [
        ("cues", (CUE, CUE_OVER), {"cues"}),
        ("grid", (GRID,), {"grids"}),
        ("playlist", (NEW_LIST,), {"playlists", "playlist_entries"}),
        ("playlist", (OLD_LIST,), {"playlists", "playlist_entries"}),
        ("plan", (NEW_PLAN,), {"plans"}),
        ("plan", (OLD_PLAN,), {"plans"}),
    ],
)
def test_each_kind_is_applied_by_its_verbs_and_undone_to_the_byte(
    shop: ProposalShop, kind: str, steps: Any, changed: set[str]
) -> None:
    before = shop.state()
    number = shop.propose(kind, *steps)
    assert shop.state() == before
    assert show(shop, number)["stale"] == ""
    said = apply(shop, number)
    assert (said["id"], said["state"], said["note"]) == (number, "applied", "")
    after = shop.state()
    assert {name for name in after if after[name] != before[name]} == changed
    made = shop.client.call("audit.list", limit=len(steps) + 1)["changes"]
    assert [(each["verb"], each["outcome"]) for each in reversed(made)] == [
        *((verb, "ok") for verb, _ in steps),
        ("proposals.apply", "ok"),
    ]
    assert {each["surface"] for each in made[1:]} == {"agent library"}
    assert {each["actor"] for each in made} == {"system"}
    with pytest.raises(Refused, match=f"proposal {number} is applied; undo it"):
        apply(shop, number)
    assert undo(shop, number)["state"] == "undone"
    assert shop.state() == before
    (row,) = shop.client.call("audit.list", limit=1)["changes"]
    assert (row["verb"], row["surface"], row["outcome"]) == ("proposals.undo", "cli", "ok")
    for verb in ("undo", "apply", "drop"):
        with pytest.raises(Refused, match=f"proposal {number} is undone"):
            shop.client.call(f"proposals.{verb}", proposal=number)


def test_a_cue_that_is_applied_reaches_the_library_as_by_hand(shop: ProposalShop) -> None:
    number = shop.propose("cues", CUE, CUE_OVER)
    apply(shop, number)
    cues = shop.client.call("library.show", track=1)["cues"]
    assert [(each["position_s"], each["slot"], each["by_hand"]) for each in cues] == [
        (0.25, None, False),
        (4.25, 3, True),
        (8.25, 2, False),
        (12.25, 1, True),
    ]
    undo(shop, number)


def test_after_a_step_that_fails_nothing_of_the_others_is_left(shop: ProposalShop) -> None:
    before = shop.state()
    far = ("library.cue", {"track": 1, "position_s": 4000.0})
    number = shop.propose("cues", CUE, CUE_OVER, far)
    with pytest.raises(Refused, match="40"):
        apply(shop, number)
    assert shop.state() == before
    said = show(shop, number)
    assert said["state"] == "failed"
    assert said["note"]
    rows = shop.client.call("audit.list", limit=5)["changes"]
    assert [(each["verb"], each["outcome"] == "ok") for each in rows] == [
        ("proposals.apply", False),
        ("proposals.undo", True),
        ("library.cue", False),
        ("library.cue", True),
        ("library.cue", True),
    ]
    with pytest.raises(Refused, match=f"proposal {number} is failed"):
        apply(shop, number)
    number = shop.propose("plan", ("mix.save", {"name": "there", "text": "nonsense = 1\n"}))
    with pytest.raises(Refused, match="nonsense"):
        apply(shop, number)
    assert shop.state() == before


@pytest.mark.parametrize(
    ("kind", "step", "verb", "params", "why"),
    [
        ("cues", CUE, "library.cue", {"track": 1, "position_s": 20.0}, "the cues by hand of"),
        ("cues", CUE, "library.grid", {"track": 1, "shift": 1.0}, "the grid of track 1 has"),
        ("grid", GRID, "library.grid", {"track": 2, "tempo": "double"}, "the grid of track 2"),
        ("playlist", OLD_LIST, "library.playlist_add", {"name": "There", "tracks": ["#3"]},
         'the playlist "there" has been changed'),
        ("playlist", ("library.playlist_add", {"name": "Late", "tracks": ["#1"]}),
         "library.playlist_add", {"name": "late"}, 'the playlist "Late" has been made'),
        ("plan", OLD_PLAN, "mix.save", {"name": "there", "text": "version = 1\n# mine\n"},
         'the plan "there" has been changed'),
        ("plan", ("mix.save", {"name": "late", "text": PLAN}), "mix.save",
         {"name": "late", "text": PLAN}, 'the plan "late" has been made'),
        ("cues", ("library.cue", {"track": 5, "position_s": 1.0}), "library.remove",
         {"track": 5}, "track 5 has been removed"),
    ],
)  # fmt: skip
def test_what_was_changed_since_is_not_overwritten(
    shop: ProposalShop, kind: str, step: Any, verb: str, params: Any, why: str
) -> None:
    number = shop.propose(kind, step, tracks=[1, 2, 3, 5])
    shop.client.call(verb, **params)
    before = shop.state()
    assert why in show(shop, number)["stale"]
    with pytest.raises(Refused, match=r"does not fit any more: .*; ask the agent again") as refused:
        apply(shop, number)
    assert why in refused.value.message
    assert shop.state() == before
    assert show(shop, number)["state"] == "open"
    shop.client.call("proposals.drop", proposal=number)
    if verb == "library.remove":
        shop.client.call("library.restore", track=5)


def test_an_undo_keeps_what_others_did_since_and_refuses_where_it_would_not(
    shop: ProposalShop,
) -> None:
    number = shop.propose("cues", ("library.cue", {"track": 3, "position_s": 4.0, "hot_cue": 1}))
    apply(shop, number)
    mine = shop.client.call("library.cue", track=3, position_s=30.0)["id"]
    undo(shop, number)
    cues = shop.client.call("library.show", track=3)["cues"]
    assert [(each["position_s"], each["slot"]) for each in cues] == [
        (0.25, 1),
        (8.25, 2),
        (30, None),
    ]
    shop.client.call("library.delete_cue", cue=mine)
    number = shop.propose("cues", ("library.cue", {"track": 3, "position_s": 4.0}))
    apply(shop, number)
    (cue,) = (c for c in shop.client.call("library.show", track=3)["cues"] if c["by_hand"])
    shop.client.call("library.edit_cue", cue=cue["id"], values={"label": "mine"})
    before = shop.state()
    with pytest.raises(Refused, match="a cue of track 3 is not as it was left"):
        undo(shop, number)
    assert shop.state() == before
    assert show(shop, number)["state"] == "applied"
    shop.client.call("library.delete_cue", cue=cue["id"])
    assert undo(shop, number)["state"] == "undone"  # a cue that is gone is no conflict
    number = shop.propose("playlist", ("library.playlist_add", {"name": "Both", "tracks": ["#1"]}))
    apply(shop, number)
    shop.client.call("library.playlist_add", name="both", tracks=["#2"])
    with pytest.raises(Refused, match='the playlist "Both" has other tracks by now'):
        undo(shop, number)
    shop.client.call("library.playlist_drop", name="Both")
    number = shop.propose("plan", ("mix.save", {"name": "edited", "text": PLAN}))
    apply(shop, number)
    shop.client.call("mix.save", name="edited", text=OTHER_PLAN)
    with pytest.raises(Refused, match='the mix "edited" has been changed since'):
        undo(shop, number)
    assert show(shop, number)["state"] == "applied"


def test_an_account_has_its_own_and_needs_the_scopes_of_the_steps(shop: ProposalShop) -> None:
    number = shop.propose("cues", CUE)
    for verb in ("show", "apply", "drop", "undo"):
        with pytest.raises(Absent, match=f"no proposal {number}"):
            shop.call_as(BOB, f"proposals.{verb}", proposal=number)
    assert shop.call_as(BOB, "proposals.list", everything=True)["proposals"] == []

    def proposed(kind: str, *steps: Any, tracks: list[int]) -> int:
        script = json.dumps({"proposals": [proposal(kind, *steps, tracks=tracks)]})
        (made,) = shop.call_as(ANN, "agents.ask", instruction=script)["proposals"]
        return int(made["id"])

    before = shop.state()
    own = proposed("cues", ("library.cue", {"track": 6, "position_s": 4.0}), tracks=[6])
    only = frozenset({"read", "propose"})
    with pytest.raises(Forbidden, match='needs the scope "library"'):
        shop.call_as(ANN, "proposals.apply", proposal=own, scopes=only)
    with pytest.raises(Forbidden, match="propose"):
        shop.call_as(ANN, "proposals.apply", proposal=own, scopes=frozenset({"read"}))
    machines = proposed("cues", CUE, tracks=[1])
    with pytest.raises(Forbidden, match="the machine's"):
        shop.call_as(ANN, "proposals.apply", proposal=machines)
    everybodys = proposed("playlist", OLD_LIST, tracks=[2])
    with pytest.raises(Forbidden, match=r"library\.playlist_add is not allowed"):
        shop.call_as(ANN, "proposals.apply", proposal=everybodys)
    plan = proposed("plan", NEW_PLAN, tracks=[])
    with pytest.raises(Forbidden, match='needs the scope "perform"'):
        shop.call_as(ANN, "proposals.apply", proposal=plan)
    assert shop.state() == before
    listed = shop.call_as(ANN, "proposals.list")["proposals"]
    assert {each["id"] for each in listed} == {own, machines, everybodys, plan}
    said = shop.call_as(ANN, "proposals.apply", proposal=own)
    assert said["state"] == "applied"
    rows = shop.client.call("audit.list", actor="ann", limit=2)["changes"]
    assert [(each["verb"], each["surface"]) for each in rows] == [
        ("proposals.apply", "web"),
        ("library.cue", "agent library"),
    ]
    shop.call_as(ANN, "proposals.undo", proposal=own)
    assert shop.state() == before
    # Of a track that an account does not see it cannot even have a proposal.
    script = json.dumps({"proposals": [proposal("cues", CUE, tracks=[6, 1])]})
    said = shop.call_as(BOB, "agents.ask", instruction=script)
    assert said["proposals"] == []
    assert any("no track 6" in note for note in said["notes"])


@pytest.mark.parametrize(
    "values",
    [
        {"steps": json.dumps([{"verb": "library.remove", "params": {"track": 1}}])},
        {"steps": json.dumps([{"verb": "library.grid", "params": {"track": 1, "shift": 1}}])},
        {"steps": json.dumps([{"verb": "library.cue", "params": {"track": 4, "position_s": 1}}])},
        {"steps": json.dumps([{"verb": "library.cue", "params": {"track": "Title", "x": 1}}])},
        {"steps": json.dumps([{"verb": "library.cue", "params": {"track": 1, "actor": {}}}])},
        {"steps": json.dumps([{"verb": "library.cue", "params": {"track": 1}}])},
        {"steps": "[]"},
        {"steps": '[{"verb": "library.cue"}]'},
        {"steps": "{"},
        {"kind": "plan"},
        {"basis": "{}"},
        {"tracks": "[]"},
    ],
)
def test_a_row_that_was_tampered_with_calls_nothing_else(
    shop: ProposalShop, values: dict[str, str]
) -> None:
    number = shop.propose("cues", CUE)
    before = shop.state()
    for name, value in values.items():
        shop.write(f"UPDATE proposals SET {name} = ? WHERE id = ?", value, number)  # noqa: S608
    with pytest.raises((Refused, LibraryError)):
        apply(shop, number)
    assert shop.state() == before
    shop.client.call("proposals.drop", proposal=number)


def test_an_undo_that_was_tampered_with_writes_no_other_row(shop: ProposalShop) -> None:
    number = shop.propose("cues", CUE)
    apply(shop, number)
    (kept,) = shop.rows("SELECT undo FROM proposals WHERE id = ?", number)
    before = shop.state(), shop.rows("SELECT * FROM tracks")
    row = {"id": 1, "title": "x"}
    for table in ("tracks", "cues; DROP TABLE cues", "sqlite_schema", "cues"):
        undoing = [{"rows": [{"table": table, "before": row, "after": None}]}]
        shop.write("UPDATE proposals SET undo = ? WHERE id = ?", json.dumps(undoing), number)
        with pytest.raises((LibraryError, Refused)):
            undo(shop, number)
    assert (shop.state(), shop.rows("SELECT * FROM tracks")) == before
    shop.write("UPDATE proposals SET undo = ? WHERE id = ?", *kept, number)
    undo(shop, number)


def test_of_too_many_open_ones_the_oldest_is_dropped_and_none_is_doubled(
    shop: ProposalShop,
) -> None:
    first = shop.propose("cues", CUE)
    assert shop.propose("cues", CUE) == first
    for steps in range(1, MAX_OPEN // 20 + 1):
        shop.ask(cues={"track": 2, "steps": steps, "proposals": 20}, given={"model": False})
    said = show(shop, first)
    assert (said["state"], said["note"]) == ("dropped", f"more than {MAX_OPEN} were open")
    page = shop.client.call("proposals.list", limit=500)["proposals"]
    assert len(page) == MAX_OPEN
    assert [each["id"] for each in page] == sorted((each["id"] for each in page), reverse=True)
    shop.client.call("proposals.drop", proposal=page[0]["id"])
    shop.write("UPDATE proposals SET state = 'dropped' WHERE state = 'open'")
    assert shop.client.call("proposals.list")["proposals"] == []
    assert shop.client.call("proposals.list", states=["dropped"], limit=1)["proposals"]


def test_another_process_adds_one_that_may_do_no_more(shop: ProposalShop) -> None:
    said = shop.client.call("proposals.add", agent="mcp", proposal=proposal("cues", CUE))
    number = said["id"]
    assert show(shop, number)["agent"] == "mcp"
    apply(shop, number)
    rows = shop.client.call("audit.list", verb="library.cue", limit=1)["changes"]
    assert rows[0]["surface"] == "agent mcp"
    undo(shop, number)
    for wrong, why in (
        (proposal("cues", ("library.remove", {"track": 1})), "may not call"),
        (proposal("cues", CUE, tracks=[77]), "track 1"),
        (proposal("cues", CUE, tracks=[1, 77]), "no track 77"),
        (proposal("plan", ("mix.save", {"name": "../x", "text": PLAN})), "name is"),
        (proposal("songs", CUE), "proposal is"),
        ({"kind": "cues"}, "proposal is"),
    ):
        with pytest.raises(Refused) as refused:
            shop.client.call("proposals.add", agent="mcp", proposal=wrong)
        assert why in str(refused.value)
    with pytest.raises(Forbidden):
        shop.call_as(
            ANN,
            "proposals.add",
            agent="mcp",
            proposal=proposal("cues", CUE),
            scopes=frozenset({"read"}),
        )


def test_two_at_once_apply_a_proposal_once(shop: ProposalShop) -> None:
    number = shop.propose("cues", CUE)
    before = shop.state()
    outcomes: list[Any] = []

    def one() -> None:
        with shop.house.connect() as client:
            try:
                outcomes.append(client.call("proposals.apply", proposal=number)["state"])
            except Refused as error:
                outcomes.append(error.message)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert sorted(outcomes) == ["applied", *[f"proposal {number} is applied"] * 3]
    undo(shop, number)
    assert shop.state() == before


# ---------------------------------------------------------------------- kills


def test_after_a_kill_between_steps_nothing_half_done_is_left(shop: ProposalShop) -> None:
    steps = 60
    before = shop.state()
    said = shop.ask(cues={"track": 1, "steps": steps}, given={"model": False})
    (number,) = (each["id"] for each in said["proposals"])

    def applying() -> None:
        with suppress(EngineError), shop.house.connect() as client:
            client.call("proposals.apply", proposal=number)

    thread = threading.Thread(target=applying)
    thread.start()
    give_up = time.monotonic() + 30
    while (done := len(shop.state()["cues"]) - len(before["cues"])) < 3:
        assert time.monotonic() < give_up
    shop.house.kill()
    thread.join(30)
    assert 3 <= done < steps
    kept = len(shop.state()["cues"]) - len(before["cues"])
    assert 0 < kept < steps  # it was killed between two steps
    plans = {
        **_plan_left(shop, "cut", "applying", None, PLAN, PLAN),
        **_plan_left(shop, "half", "undoing", OTHER_PLAN, PLAN, PLAN),
        **_plan_left(shop, "done", "undoing", OTHER_PLAN, PLAN, OTHER_PLAN),
        **_plan_left(shop, "mine", "undoing", None, PLAN, OTHER_PLAN),
    }
    shop.restart()
    said = show(shop, number)
    assert (said["state"], said["stale"]) == ("open", "")
    assert "backstage ended" in said["note"]
    after = shop.state()
    mixes = after.pop("plans")
    assert after == {name: rows for name, rows in before.items() if name != "plans"}
    texts = {name: (mixes.get(f"{name}.toml") or b"").decode() for name in plans}
    assert texts == {"cut": "", "half": OTHER_PLAN, "done": OTHER_PLAN, "mine": OTHER_PLAN}
    states = {name: show(shop, plan)["state"] for name, plan in plans.items()}
    assert states == {"cut": "open", "half": "undone", "done": "undone", "mine": "applied"}
    rows = shop.client.call("audit.list", verb="proposals.undo", limit=5)["changes"]
    assert {each["surface"] for each in rows} == {"agent library"}
    assert apply(shop, number)["state"] == "applied"
    assert len(shop.state()["cues"]) == len(before["cues"]) + steps
    undo(shop, number)
    assert shop.state()["cues"] == before["cues"]


def _plan_left(
    shop: ProposalShop, name: str, state: str, before: str | None, after: str, now: str
) -> dict[str, int]:
    """Leave a proposal of a plan as a kill leaves it; return its name and number."""
    (shop.house.data / "mixes").mkdir(exist_ok=True)
    (shop.house.data / "mixes" / f"{name}.toml").write_text(now)
    entry = {"plan": name, "before": before, "after": digest_of(after)}
    steps = [{"verb": "mix.save", "params": {"name": name, "text": after}}]
    shop.write(
        "INSERT INTO proposals (account, agent, kind, state, title, reason, steps, details, tracks,"
        " basis, undo, created_s, changed_s) VALUES (0, 'library', 'plan', ?, ?, '', ?, '{}', '[]',"
        " ?, ?, 1, 1)",
        state,
        name,
        json.dumps(steps),
        json.dumps({f'the plan "{name}"': digest_of(before)}),
        json.dumps([entry]),
    )
    ((number,),) = shop.rows("SELECT max(id) FROM proposals")
    return {name: number}


# ---------------------------------------------------------------------- without a process


def test_the_sessions_lock_refuses_to_apply_and_to_undo(tmp_path: Path) -> None:
    async def run() -> None:
        async with prep_context(tmp_path) as context:
            caller = VerbCaller({}, Auditor(context.database))
            verbs = ProposalVerbs(context, caller, MixVerbs(context, *[None] * 4))
            context.session.locked = True
            for verb in (verbs.proposals_apply, verbs.proposals_undo):
                with pytest.raises(Locked, match=r"session\.lock refuses"):
                    await verb(1, actor=SYSTEM)
                with pytest.raises(Absent, match="no proposal 1"):
                    await verb(1, force=True, actor=SYSTEM)
            with pytest.raises(Absent):
                await verbs.proposals_drop(1, actor=Actor(ANN, "user", SCOPES))

    asyncio.run(run())


def test_words_of_the_contract_are_the_same_everywhere() -> None:
    assert set(ALLOWED) == set(ProposalKind.__args__)  # type: ignore[attr-defined]
    assert State.__args__ == STATES  # type: ignore[attr-defined]
    assert [each.name for each in DESCRIBED] == list(AGENTS)


@pytest.mark.parametrize(
    ("kind", "steps", "why"),
    [
        ("cues", [], "0 steps"),
        ("cues", [CUE] * (MAX_STEPS + 1), f"{MAX_STEPS + 1} steps"),
        ("cues", [("library.delete_cue", {"cue": 1})], "may not call"),
        ("cues", [("library.cue", {"track": 9, "position_s": 1})], "track 9"),
        ("cues", [("library.cue", {"track": True, "position_s": 1})], "track True"),
        ("grid", [("library.grid", {"track": 1, "automatic": True})], "may not give"),
        ("playlist", [("library.playlist_add", {"name": "x", "tracks": ["#1 OR 1"]})], "OR 1"),
        ("playlist", [("library.playlist_add", {"name": " ", "tracks": []})], "needs a name"),
        ("playlist", [("library.playlist_drop", {"name": "x"})], "may not call"),
        ("playlist", [NEW_LIST, OLD_LIST], "several names"),
        ("plan", [("mix.plan", {"name": "x", "words": "all"})], "may not give"),
        ("plan", [("mix.plan", {"name": "x", "after": [[1, 9]]})], "track 9"),
        ("nothing", [CUE], "nothing"),
    ],
)
def test_a_step_is_of_its_kind_and_of_tracks_that_the_proposal_names(
    kind: Any, steps: list[Any], why: str
) -> None:
    with pytest.raises(Refused) as refused:
        work_of(kind, [Step(verb, params) for verb, params in steps], [1, 2, 3])
    assert why in refused.value.message + refused.value.hint


def test_tracks_of_steps_become_numbers_that_no_word_is_mistaken_for() -> None:
    made = Proposal(
        "playlist", "", "", (Step("library.playlist_add", {"name": "x", "tracks": ["2", 3]}),), {}
    )
    (step,) = work_of(made.kind, made.steps, (2, 3)).steps
    assert step.params == {"name": "x", "tracks": ["#2", "#3"]}
