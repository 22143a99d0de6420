"""A host at another rate: what was counted in frames of the old one goes on at the same time."""

import pytest

from sfa_engine.engine.memory import Memory
from sfa_engine.host.device_keeper import rebase

RATE = 48_000.0
NEXT_RATE = 44_100.0


@pytest.mark.parametrize("bent", [1.0, 1.05])
def test_the_beat_of_the_session_runs_on_without_a_jump_at_another_rate(bent):
    engine = Memory.anonymous().engine
    engine["sample_rate"] = RATE
    beats_s = 124.0 / 60.0 * bent  # a clock that is brought into phase runs faster than its tempo
    engine["clock_speed"] = beats_s / RATE
    engine["clock_frame"], engine["clock_beat"] = 1_000, 8.0
    engine["emitted"] = 1_000 + 10 * RATE
    rebase(engine, NEXT_RATE)

    def beat_at(frame):
        since = frame - int(engine["clock_frame"])
        return float(engine["clock_beat"]) + since * float(engine["clock_speed"])

    now = int(engine["emitted"])
    assert beat_at(now) == pytest.approx(8.0 + 10 * beats_s)
    assert beat_at(now + NEXT_RATE) - beat_at(now) == pytest.approx(beats_s)
