"""A tablet's layout against the engine itself: what is touched is set, what is set is shown."""

import shutil

import pytest
from engine_process import show, until
from osc_client import Client, free_port
from touchosc_app import App

from sfa_engine.surfaces.touchosc import layout

pytestmark = pytest.mark.slow
FRAME_MS = 16.0


class Tablet:
    """The app with the ready layout, on a line of its own to the engine."""

    def __init__(self, port):
        self.line = Client(port)
        self.app = App(layout(pages=["mixer", "decks", "library"], port=self.line.port))

    def frame(self):
        """Pass what has come to the layout, let a frame go by, and send what it sends."""
        for address, arguments in self.line.read():
            if arguments and arguments[0] is not None and not address.startswith("/sfa/"):
                self.app.receive(address, arguments[0])
        self.app.frame(FRAME_MS)
        self.flush()

    def flush(self):
        for address, arguments in self.app.sent:
            self.line.send(address, *arguments)
        self.app.sent.clear()

    def tap(self, name):
        node = self.app.find(name)
        self.app.press(node)
        self.app.release(node)
        self.flush()

    def shows(self, condition, what):
        until(lambda: self.frame() or condition(), what, 0.01)


@pytest.fixture(scope="module")
def engine(bundles):
    """An engine on a timer with two tracks in its library, one of them on deck 1."""

    def fill(running):
        for bundle in bundles:  # that the library does not know yet
            shutil.copytree(bundle, running.runtime / "data" / "sfa" / "tracks" / bundle.name)
        _, said, errors = running.command("library", "check", "--repair")
        assert "no track has the bundle" in said, said + errors

    with show({}, "none", osc=free_port(), prepare=fill) as running:
        with running.connect() as client:
            client.call("deck.load", deck=1, path=str(bundles[0]))
        yield running


@pytest.fixture
def control(engine):
    with engine.connect() as client:
        yield client


@pytest.fixture(scope="module")
def tablet(engine):
    made = Tablet(engine.osc)
    with made.line:
        made.shows(lambda: made.app.find("deck1.title").values.text == "Track 1", "the title")
        yield made
        made.line.send("/sfa/unsubscribe")


def value(control, path):
    return control.call("get", path=path)["value"]


def test_a_fader_is_set_and_another_hand_s_move_is_shown(tablet, control):
    fader = tablet.app.find("deck1.stem.vocals.volume")
    tablet.app.drag(fader, 0.25)
    tablet.flush()
    until(lambda: value(control, "deck1.stem.vocals.volume") < -10, "the fader")
    control.call("set", path="deck1.stem.vocals.volume", value=0.0)
    tablet.shows(lambda: fader.values.x > 0.7, "the move")
    assert value(control, "deck1.stem.vocals.volume") == 0.0  # nothing came back


def test_a_switch_is_turned_on_and_off_and_shown(tablet, control):
    mute = tablet.app.find("deck1.stem.drums.mute")
    tablet.tap("deck1.stem.drums.mute")
    until(lambda: value(control, "deck1.stem.drums.mute") == 1.0, "the mute")
    control.call("set", path="deck1.stem.drums.mute", value=False)
    tablet.shows(lambda: mute.values.x == 0.0, "the switch")


def test_a_hot_cue_is_stored_shown_and_played(tablet, control):
    control.call("set", path="deck1.play", value=False)
    control.call("set", path="deck1.position", value=12.5, wait=True)
    tablet.tap("deck1.hotcue7.press")
    until(lambda: value(control, "deck1.hotcue7.position") == pytest.approx(12.5), "the cue")
    control.call("set", path="deck1.position", value=3.0, wait=True)
    tablet.tap("deck1.hotcue7.press")
    until(lambda: value(control, "deck1.position") == pytest.approx(12.5), "the jump")


def test_a_row_of_the_library_is_shown_selected_and_loaded(tablet, control):
    rows = {f"browse.row{number}.title" for number in (1, 2)}
    titles = {name: tablet.app.find(name) for name in rows}
    tablet.shows(
        lambda: {node.values.text for node in titles.values()} == {"Track 1", "Track 2"}, "the list"
    )
    name = next(name for name, node in titles.items() if node.values.text == "Track 2")
    row = name.removesuffix(".title")
    tablet.tap(f"{row} load deck2")
    tablet.shows(lambda: tablet.app.find("deck2.title").values.text == "Track 2", "the load")
    assert value(control, "deck2.title") == "Track 2"
