"""What a layout does when it is touched and when the engine speaks: bindings and Lua together."""

from __future__ import annotations

import pytest
from ready_layouts import opened
from touchosc_app import App, Node

from sfa_engine.desk import DESK, Button, Switch
from sfa_engine.surfaces.touchosc import TABLETS, layout
from sfa_engine.surfaces.touchosc.more import is_played


@pytest.fixture(params=TABLETS)
def app(request: pytest.FixtureRequest) -> App:
    return opened(request.param)


def asked(app: App, millis: float) -> list[str]:
    app.sent.clear()
    app.frame(millis)
    return [address for address, _ in app.sent]


def test_a_layout_subscribes_until_the_engine_speaks(app: App) -> None:
    app.frame(16)
    assert app.sent == [("/sfa/subscribe", (9000,))]
    assert asked(app, 16) == []
    assert asked(app, 10_000) == ["/sfa/subscribe"]
    app.receive("/deck1/play", 1.0)
    assert asked(app, 10_001) != ["/sfa/subscribe"]


def test_a_layout_that_hears_the_engine_pings_it(app: App) -> None:
    app.frame(16)
    for _ in range(5):
        app.receive("/n/master/level", 0.5)
        assert asked(app, 20_001) == ["/sfa/ping"]
    assert asked(app, 20_001) == ["/sfa/ping"]
    assert asked(app, 20_001) == ["/sfa/subscribe"]  # the engine is silent: it was started again


def test_the_port_is_in_the_layout() -> None:
    app = App(layout(pages=["transport"], port=9123))
    app.frame(16)
    app.press(app.find("connect"))
    assert app.sent == [("/sfa/subscribe", (9123,)), ("/sfa/subscribe", (9123.0,))]


def test_a_button_is_pressed_once_and_a_held_one_released(app: App) -> None:
    for name, sent in (
        ("deck1.brake", [1.0]),
        ("deck1.hotcue3.press", [1.0, 0.0]),
        ("deck1.cue", [1.0, 0.0]),
    ):
        app.sent.clear()
        node = app.find(name)
        app.press(node)
        app.release(node)
        address = "/" + name.replace(".", "/")
        assert app.sent == [(address, (value,)) for value in sent]


def test_a_jump_is_sent_with_its_beats(app: App) -> None:
    for beats in (-16, -4, -1, 1, 4, 16):
        app.sent.clear()
        node = app.find(f"deck1.jump {beats}")
        app.press(node)
        app.release(node)
        assert app.sent == [("/deck1/jump", (float(beats),))]


@pytest.mark.parametrize(
    ("path", "by"), [("grid.nudge", 5), ("grid.shift", 1), ("loop.in_adjust", 1 / 32)]
)
def test_a_button_that_goes_either_way_has_a_key_for_each(app: App, path: str, by: float) -> None:
    for number in (-by, by):
        app.sent.clear()
        app.press(app.find(f"deck1.{path} {number:g}"))
        assert app.sent == [(f"/deck1/{path.replace('.', '/')}", (pytest.approx(number),))]


def test_a_bend_ends_when_the_finger_leaves(app: App) -> None:
    node = app.find("deck1.bend -4")
    app.press(node)
    app.release(node)
    assert app.sent == [("/deck1/bend", (-4.0,)), ("/deck1/bend", (0.0,))]


def test_a_switch_follows_the_engine_without_an_echo(app: App) -> None:
    play = app.find("deck1.play")
    app.receive("/deck1/play", 1.0)
    assert play.values.x == 1.0
    assert app.sent == []
    caption = play.parent.children["deck1.play text"]
    assert caption.textColor.r < 0.1  # dark on what is lit
    app.press(play)
    assert app.sent == [("/deck1/play", (0.0,))]
    assert caption.textColor.r > 0.9


def test_a_fader_sends_its_travel_and_follows(app: App) -> None:
    fader = app.find("crossfader")
    app.receive("/n/crossfader", 0.25)
    assert fader.values.x == 0.25
    assert app.sent == []
    app.drag(fader, 0.75)
    assert app.sent == [("/n/crossfader", (0.75,))]


def test_a_choice_sends_its_index_and_lights_what_is_chosen(app: App) -> None:
    page = app.root.nodes[0].nodes[1].name
    app.press(app.find("deck1.sync 2", page))
    app.release(app.find("deck1.sync 2", page))
    assert app.sent == [("/deck1/sync", (2.0,))]
    app.sent.clear()
    app.receive("/deck1/sync", 1.0)
    lit = [app.find(f"deck1.sync option {n}", page).color.a > 0.5 for n in range(3)]
    assert lit == [False, True, False]
    assert app.sent == []


@pytest.mark.parametrize("written", ["63.4", "63.400000", "63.400002"])
def test_a_place_is_a_clock_however_the_app_writes_numbers(app: App, written: str) -> None:
    page = app.root.nodes[0].nodes[1].name
    app.receive("/deck1/duration", "171.3")
    app.receive("/deck1/position", written)
    assert app.find("deck1.position", page).values.text == "1:03.4"
    assert app.find("deck1.remaining", page).values.text == "-1:47.9"
    assert app.find("deck1.duration", page).values.text == "2:51.3"
    assert app.find("deck1.place", page).values.x == pytest.approx(63.4 / 171.3, abs=1e-4)


@pytest.mark.parametrize(
    ("seconds", "clock"),
    [
        ("0", "0:00.0"),
        ("59.96", "1:00.0"),
        ("-60", "-1:00.0"),
        ("-0.01", "0:00.0"),
        ("3599.9", "59:59.9"),
    ],
)
def test_a_clock_rounds_as_a_whole(app: App, seconds: str, clock: str) -> None:
    app.receive("/deck1/position", seconds)
    assert app.find("deck1.position").values.text == clock


def test_a_hot_cue_says_where_it_is_and_when_it_is_empty(app: App) -> None:
    label = app.find("deck1.hotcue2.position")
    assert label.values.text == "empty"
    app.receive("/deck1/hotcue2/position", 77.4)
    assert label.values.text == "1:17.4"
    app.receive("/deck1/hotcue2/position", "nil")
    assert label.values.text == "empty"


@pytest.mark.parametrize(
    ("pad", "told", "full", "empty"),
    [
        ("deck1.hotcue2.press", "/deck1/hotcue2/position", 77.4, "nil"),
        ("pad3.hit", "/pad3/label", "Clap", ""),
    ],
)
def test_an_empty_pad_is_dim_after_a_press_too(
    app: App, pad: str, told: str, full: float | str, empty: str
) -> None:
    node = app.find(pad)
    dim = node.color
    app.receive(told, full)
    lit = node.color
    app.press(node)
    app.release(node)
    assert node.color == lit
    assert lit.a > dim.a
    app.receive(told, empty)
    assert node.color == dim
    app.press(node)
    app.release(node)
    assert node.color == dim


@pytest.mark.parametrize(
    ("address", "option", "name"),
    [("/fx1/slot2/kind", 3.0, "Reverb"), ("/sampler/capture_from", 4.0, "Deck 1 drums")],
)
def test_an_option_of_many_is_shown_by_its_name(
    app: App, address: str, option: float, name: str
) -> None:
    app.receive(address, option)
    labels = [
        n for n in app.nodes if n.kind == "LABEL" and any(m.address == address for m in n.messages)
    ]
    assert [label.values.text for label in labels] == [name]


def test_a_hot_cue_shows_its_label_and_its_colour(app: App) -> None:
    strip = app.find("deck1.hotcue2.color")
    app.receive("/deck1/hotcue2/color", "#ff8000")
    color = strip.color
    assert (color.r, color.g, color.b, color.a) == pytest.approx((1.0, 128 / 255, 0.0, 1.0))
    app.receive("/deck1/hotcue2/color", "")
    assert strip.color.a == 0.0
    label = app.find("deck1.hotcue2.label")
    app.receive("/deck1/hotcue2/label", "The drop")
    assert label.values.text == "The drop"


def test_numbers_have_the_places_of_the_desk(app: App) -> None:
    app.receive("/deck1/tempo", 124.0)
    app.receive("/session/locked", 1.0)
    app.receive("/engine/late", 3.0)
    assert app.find("deck1.tempo").values.text == "124.00"
    assert app.find("engine.late").values.text == "3"


def fill(app: App, first: int) -> None:
    app.receive("/browse/length", 40.0)
    app.receive("/browse/position", float(first))
    app.receive("/browse/row2/title", "Aqua Regia")


def test_a_tap_loads_the_row(app: App) -> None:
    for deck in (1, 2):
        node = app.find(f"browse.row2 load deck{deck}")
        app.press(node)
        app.release(node)
    assert app.sent == [("/deck1/load_row", (2.0,)), ("/deck2/load_row", (2.0,))]


def test_a_tap_selects_the_entry_and_the_row_is_lit(app: App) -> None:
    fill(app, 5)
    app.press(app.find("browse.row2 panel button"))
    assert app.sent == [("/browse/selected", (6,))]
    app.receive("/browse/selected", 6.0)
    lit = [app.find(f"browse.row{n} panel").color.a > 0.1 for n in range(1, 5)]
    assert lit == [False, True, False, False]
    app.receive("/browse/position", 6.0)  # the list moves below the selection
    lit = [app.find(f"browse.row{n} panel").color.a > 0.1 for n in range(1, 5)]
    assert lit == [True, False, False, False]


def test_the_list_is_moved_by_the_rows_that_are_shown_and_stays_in_range(app: App) -> None:
    rows = len(
        [n for n in app.nodes if n.name.endswith(" panel") and n.name.startswith("browse.row")]
    )
    fill(app, 5)
    assert app.find("browse span").values.text == f"6 to {5 + rows} of 40"
    app.press(app.find("browse down"))
    app.press(app.find("browse up"))
    assert app.sent == [("/browse/position", (5 + rows,)), ("/browse/position", (0,))]
    app.sent.clear()
    app.receive("/browse/position", 38.0)
    assert app.find("browse span").values.text == "39 to 40 of 40"
    app.release(app.find("browse down"))
    app.press(app.find("browse down"))
    assert app.sent == [("/browse/position", (39,))]


def test_an_empty_list_stays_where_it_is(app: App) -> None:
    app.receive("/browse/length", 0.0)
    assert app.find("browse span").values.text == "no tracks"
    app.press(app.find("browse down"))
    assert app.sent == [("/browse/position", (0,))]


def buttons(app: App) -> list[Node]:
    return [node for node in app.nodes if node.kind == "BUTTON" and node.messages]


def test_every_script_is_lua_that_compiles(app: App) -> None:
    for node in app.nodes:
        app.compile(node)


def test_every_button_sends_what_the_desk_takes(app: App) -> None:
    known = {"/" + c.path.replace(".", "/"): c for c in DESK.controls()}
    for node in buttons(app):
        app.sent.clear()
        app.press(node)
        app.release(node)
        assert app.sent, node.name
        for address, (value,) in app.sent:
            control = known.get(address)
            if control is None:
                assert address in {"/sfa/subscribe", "/deck1/load_row", "/deck2/load_row"}
                continue
            is_release = isinstance(control, Button) and control.held and value == 0
            if not is_release:
                assert control.check(value) == value, node.name


@pytest.mark.slow
@pytest.mark.parametrize(
    "app", ["phone", pytest.param("ipad", marks=pytest.mark.nightly)], indirect=True
)
def test_every_value_that_the_engine_sends_is_shown_or_ignored(app: App) -> None:
    for control in DESK.controls():
        if control.planned:
            continue
        address = "/" + control.path.replace(".", "/")
        found = app.receive(address, control.scale.rest if control.kind != "text" else "text")
        found += app.receive(f"/n{address}", control.scale.travel(control.scale.rest))
        if isinstance(control, Switch) and is_played(control):
            assert found, control.path
    assert app.sent == []
