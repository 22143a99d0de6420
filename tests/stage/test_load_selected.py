"""The button that loads what is selected in the list, and the rows that follow the selection."""

import pytest

from sfa_engine.engine.memory import Memory
from sfa_engine.errors import EngineError, Refused
from sfa_engine.stage.browser import Browser
from sfa_engine.stage.conductor import Conductor


@pytest.fixture
def conductor():
    return Conductor(Memory.anonymous())


def test_a_button_of_the_stage_is_pressed_at_once(conductor):
    pressed = []
    conductor.on_press("deck1.load_selected", lambda _: pressed.append(1))
    done = conductor.press_nowait("deck1.load_selected", source=1001)
    assert (done.ticket, pressed) == (0, [1])
    conductor.press_nowait("deck1.load_selected", 0.0)  # let go
    assert pressed == [1]
    with pytest.raises(Refused, match="acts at once"):
        conductor.press_nowait("deck1.load_selected", when="bar")
    with pytest.raises(Refused, match="button"):
        conductor.set_nowait("deck1.load_selected", 1.0)
    with pytest.raises(Refused, match="no value"):
        conductor.get("deck1.load_selected")


def test_the_rows_follow_the_selection(conductor, tmp_path):
    Browser(tmp_path, conductor)
    for selected, first in ((3, 0), (15, 0), (16, 1), (40, 25), (30, 25), (24, 24), (0, 0)):
        conductor.set_nowait("browse.selected", float(selected))
        assert conductor.get("browse.position") == first


async def test_the_selected_track_is_that_of_the_row_that_shows_it(conductor, tmp_path):
    browser = Browser(tmp_path, conductor)
    conductor.stage.put("browse.row3.track", 77.0)
    conductor.set_nowait("browse.selected", 2.0)
    assert await browser.selected() == 77
    conductor.set_nowait("browse.selected", 5.0)
    with pytest.raises(EngineError, match="backstage"):
        await browser.selected()
