"""Effects on the stage: texts of knobs, chains, and the names of patches."""

import pytest
import trio

from sfa_engine.desk.chains import BUILT_IN, chain
from sfa_engine.desk.chains import slot as with_kind
from sfa_engine.desk.effects import KIND_NAMES
from sfa_engine.errors import EngineError, Refused
from sfa_engine.host.offline import Offline
from sfa_engine.stage.conductor import Conductor
from sfa_engine.stage.effects import Effects


class Stage:
    """A stage with an engine that renders when it is asked to."""

    def __init__(self, folder):
        self.engine = Offline()
        self.engine.render(512)
        self.conductor = Conductor(self.engine.memory)
        self.effects = Effects(folder, folder, self.conductor)
        self.patches = folder / "patches"
        self.patches.mkdir()

    def pump(self):
        self.engine.render(512)
        self.conductor.pump()

    def get(self, path):
        return self.conductor.get(path)


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


def test_a_kind_shows_what_its_knobs_are(stage):
    assert stage.get("fx1.slot1.label_a") == ""
    stage.conductor.set_nowait("fx1.slot1.kind", "echo")
    stage.pump()
    assert [stage.get(f"fx1.slot1.label_{x}") for x in "abc"] == ["TIME", "FEEDBACK", "TONE"]
    assert [stage.get(f"fx1.slot1.value_{x}") for x in "abc"] == ["3/4 beat", "50.0 %", "0.0 %"]
    stage.conductor.set_nowait("fx1.slot1.param_a", 100.0)
    assert stage.get("fx1.slot1.value_a") == "4 beats"
    stage.conductor.set_nowait("fx1.slot1.kind", "none")
    stage.pump()
    assert stage.get("fx1.slot1.value_a") == ""


@pytest.mark.parametrize("name", BUILT_IN)
async def test_a_chain_that_is_loaded_is_the_chain_of_its_unit(stage, name):
    loaded = await stage.effects.fx_load(2, name)
    stage.pump()
    assert loaded["chain"] == BUILT_IN[name]
    made = stage.effects.chain_of(2)
    assert made["mode"] == BUILT_IN[name]["mode"]
    for slot, expected in zip(made["slots"], BUILT_IN[name]["slots"], strict=True):
        assert slot["kind"] == expected["kind"]
        assert slot["knobs"] == pytest.approx(expected["knobs"], abs=1e-3)
    assert stage.get("fx2.chain") == name
    assert stage.get("fx1.slot1.kind") == KIND_NAMES.index("none")


async def test_a_chain_that_nobody_can_give_is_refused(stage):
    with pytest.raises(EngineError, match="backstage is not running"):
        await stage.effects.fx_load(1, "mine")


def test_what_cannot_be_a_patch_is_refused(stage):
    for name in ("../x", "A B", "-x", "x" * 41, "x.py", "é"):
        with pytest.raises(Refused, match="not the name of a patch"):
            stage.conductor.set_nowait("fx1.slot1.patch", name)
    (stage.patches / "my-effect.py").touch()
    stage.conductor.set_nowait("fx1.slot1.patch", "my-effect")
    assert stage.get("fx1.slot1.patch") == "my-effect"
    stage.conductor.set_nowait("fx1.slot1.patch", "")


def test_a_patch_without_a_file_is_refused(stage):
    (stage.patches / "shimmer.py").touch()
    with pytest.raises(Refused, match='no patch "shimer" in ') as caught:
        stage.conductor.set_nowait("fx1.slot1.patch", "shimer")
    assert caught.value.hint == 'did you mean "shimmer"?'
    with pytest.raises(Refused, match='no patch "dust"') as caught:
        stage.conductor.set_nowait("fx1.slot1.patch", "dust")
    assert caught.value.hint == "`sfa fx new dust` makes one"
    assert stage.get("fx1.slot1.patch") == ""


def test_a_chain_whose_patch_has_no_file_leaves_its_unit_as_it_was(stage):
    stage.effects.apply(1, BUILT_IN["dub"])
    stage.pump()
    before = stage.effects.chain_of(1)
    given = chain("insert", 100.0, with_kind("crush"), {**with_kind("user"), "patch": "gone"})
    with pytest.raises(Refused, match='no patch "gone"'):
        stage.effects.apply(1, given)
    stage.pump()
    assert stage.effects.chain_of(1) == before


def test_a_new_stage_learns_from_the_host_what_runs(stage):
    entry = {"unit": 1, "slot": 2, "patch": "mine", "running": False, "error": "line 3: no"}
    stage.effects.show_host({"effects": [entry]})
    assert stage.get("fx1.slot2.patch") == "mine"
    assert stage.effects.problems == ["effect mine: line 3: no"]
    stage.effects.show_host({})
    assert stage.effects.problems == []


async def test_without_a_host_a_patch_waits_for_one(
    stage,
    autojump_clock,  # noqa: ARG001 - time is virtual
):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.effects.run)
        (stage.patches / "mine.py").touch()
        stage.conductor.set_nowait("fx1.slot1.patch", "mine")
        await trio.sleep(10.0)
        assert stage.effects._wanted == {(1, 1): "mine"}
        nursery.cancel_scope.cancel()
