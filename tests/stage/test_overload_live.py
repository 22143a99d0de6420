"""An overload on a running engine: reading, health, log and journal have each step."""

import pytest
from engine_process import show, until
from quiet_track import call

pytestmark = pytest.mark.slow


def test_each_step_is_seen_and_kept():
    """No block is below a thousandth of a percent of its time."""
    with show({}, "none", "[audio]\nbudget_pct = 0.001\n") as engine:
        until(lambda: call(engine, "get", path="engine.ladder")["value"] == 3, "the last step")
        said = call(engine, "health")
        assert said["health"] == "degraded"
        assert any("effects are off; pads have 16 voices" in each for each in said["reasons"])
        until(lambda: "overload: keylock stretches in time; effects" in engine.log("stage"), "log")

        def steps():
            _, out, _ = engine.command("journal", "show", "--commands")
            return [line for line in out.splitlines() if "ladder" in line]

        until(lambda: len(steps()) >= 3, "the journal")
