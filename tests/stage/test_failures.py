"""Why buttons failed is logged: of each a line a second, however often it is pressed."""

import logging

from sfa_engine.errors import Refused
from sfa_engine.stage.outcome import Failures, Outcome


def test_a_button_that_fails_a_thousand_times_has_a_line_a_second(caplog):
    caplog.set_level(logging.WARNING)
    now = 0.0
    failures = Failures(lambda: now)
    for number in range(3000):
        now = number / 1000
        Outcome("preset.recall", failures).set(Refused("no preset", "save one"))
        if number == 10:
            Outcome("pad1.capture", failures).set(Refused("nothing was played", "play"))
    said = [record.message for record in caplog.records]
    assert said == [
        "preset.recall: no preset; save one",
        "pad1.capture: nothing was played; play",
        "preset.recall: no preset; save one (999 times more before)",
        "preset.recall: no preset; save one (999 times more before)",
    ]


def test_what_succeeded_is_not_logged(caplog):
    Outcome("preset.recall", Failures()).set()
    assert not caplog.records
