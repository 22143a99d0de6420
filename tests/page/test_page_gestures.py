"""Drag and drop, the jog wheel, and the tools: sampler, presets, recorder, effects."""

import math
from pathlib import Path

import pytest
from desk_page import until, value

pytestmark = [pytest.mark.slow, pytest.mark.realtime]


def middle(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page, source, target):
    """Drag with the mouse from one element to another."""
    page.mouse.move(*middle(source))
    page.mouse.down()
    page.mouse.move(*middle(target), steps=6)
    page.locator(".cargo").wait_for()
    page.mouse.up()
    page.locator(".cargo").wait_for(state="detached")


@pytest.fixture
def loaded(site):
    """Both tracks, stopped; empty pads."""
    site.load(is_playing=False)
    site.call("pad.clear", all=True)
    yield
    site.call("pad.clear", all=True)


@pytest.fixture
def playing(site):
    site.load()


def pads_of(page, deck):
    panel = page.locator(f'[data-deck="{deck}"]').first
    panel.get_by_role("tab", name="Pads", exact=True).click()
    return panel.locator("[data-drop-pad]")


@pytest.mark.usefixtures("loaded")
def test_a_track_is_dragged_from_the_library_to_a_pad_and_to_a_deck(tabs, site):
    site.call("deck.eject", deck=1, force=True)
    page = tabs().view("decks")
    pads = pads_of(page, 2)
    page.click('[data-action="load-1"]')
    page.fill('[data-tool="library"] input', "Slow Gold")
    row = page.locator('[data-tool="library"] [data-row="0"]', has_text="Slow Gold")
    handle = row.locator(".handle")
    handle.wait_for()
    drag(page, handle, pads.nth(0))
    number = int(pads.nth(0).get_attribute("data-drop-pad"))
    until(lambda: value(site, f"pad{number}.label") == "Slow Gold", "the pad has the track")
    assert value(site, f"pad{number}.duration") > 0
    pads.nth(0).get_by_role("button", name="Slow Gold").wait_for()
    drag(page, handle, page.locator('[data-deck-header="1"]'))
    page.locator('[data-title="1"]', has_text="Slow Gold").wait_for()


@pytest.mark.usefixtures("loaded")
def test_a_stem_and_a_loop_are_dragged_to_pads(tabs, site):
    page = tabs().view("decks")
    pads = pads_of(page, 2)
    left = page.locator('[data-deck="1"]').first
    left.get_by_role("tab", name="Stems", exact=True).click()
    first = int(pads.nth(0).get_attribute("data-drop-pad"))
    drag(page, left.get_by_role("group", name="Drums").locator(".handle"), pads.nth(2))
    until(lambda: value(site, f"pad{first + 2}.duration") > 0, "the stem is on a pad")
    assert "drums" in value(site, f"pad{first + 2}.label").lower()
    left.get_by_role("tab", name="Loops", exact=True).click()
    left.get_by_role("button", name="Loop of 4 beats").click()
    until(lambda: value(site, "deck1.loop.active"), "a loop")
    handle = left.locator(".loops .handle:not(.off)")
    drag(page, handle, pads.nth(3))
    until(lambda: value(site, f"pad{first + 3}.duration") > 0, "the loop is on a pad")
    beats = value(site, f"pad{first + 3}.duration") * value(site, "deck1.tempo") / 60
    assert abs(beats - 4) < 0.05
    drag(page, handle, page.locator("[data-master]"))  # no place for it
    page.wait_for_timeout(300)
    assert sum(each["loaded"] for each in site.call("pad.list")) == 2


@pytest.mark.usefixtures("loaded")
def test_the_sampler_tool_fills_names_and_clears_the_pad_that_is_chosen(tabs, site):
    page = tabs().view("decks")
    page.get_by_role("button", name="Sampler", exact=True).click()
    box = page.locator('[data-tool="sampler"]')
    box.locator('[data-drop-pad="6"] button').click()
    box.get_by_text("Pad 6").wait_for()
    box.get_by_role("button", name="Put on this pad").click()
    page.locator('[role="menuitem"]:focus').wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.locator('[role="menuitem"]:focus').inner_text() == "4 beats of deck 1"
    page.keyboard.press("Enter")
    until(lambda: value(site, "pad6.duration") > 0, "a sound of deck 1")
    field = box.locator('[data-control="pad6.label"]')
    name = f"{value(site, 'deck1.title')} 1"
    until(lambda: field.input_value() == name, "the name of the sound")
    field.fill("Kick and so on")
    field.press("Enter")
    until(lambda: value(site, "pad6.label") == "Kick and so on", "its new name")
    pad = box.locator('[data-drop-pad="6"] button')
    page.mouse.move(*middle(pad))
    page.mouse.down()
    until(lambda: value(site, "pad6.playing"), "it plays while it is set up")
    page.mouse.up()
    box.get_by_role("button", name="Clear the pad").click()
    until(lambda: value(site, "pad6.duration") == 0, "an empty pad")
    box.get_by_role("button", name="6 Empty, pad", exact=True).wait_for()


class Wheel:
    """The jog wheel on a phone, and places on it: a radius of 1 is its edge, 0 turns its top."""

    def __init__(self, page):
        page.get_by_role("tab", name="More", exact=True).first.click()
        page.get_by_role("tab", name="Jog", exact=True).click()
        self.page = page
        self.jog = page.locator('[data-jog="1"]')
        self._x, self._y = middle(self.jog)
        self._radius = self.jog.bounding_box()["width"] / 2

    def move(self, radius, turns):
        angle, size = 2 * math.pi * turns, self._radius * radius
        self.page.mouse.move(self._x + size * math.sin(angle), self._y - size * math.cos(angle))


@pytest.mark.usefixtures("playing")
def test_the_rim_of_the_jog_wheel_bends_and_a_finger_at_rest_does_not(tabs, site):
    page = tabs(390).view("decks")
    wheel = Wheel(page)
    wheel.move(0.9, 0)
    page.mouse.down()
    bends = []
    for step in range(1, 9):
        wheel.move(0.9, step / 8)
        bends.append(value(site, "deck1.bend"))
    assert max(bends) > 1.0
    assert not value(site, "deck1.touch")
    until(lambda: value(site, "deck1.bend") == 0, "the finger rests: no bend")
    wheel.move(0.9, 0.1)
    page.mouse.up()
    until(lambda: value(site, "deck1.bend") == 0, "released: no bend")
    assert value(site, "deck1.play")


@pytest.mark.usefixtures("playing")
def test_a_hand_inside_the_jog_wheel_holds_and_scratches_the_track(tabs, site):
    page = tabs(390).view("decks")
    wheel = Wheel(page)
    wheel.move(0.5, 0)
    page.mouse.down()
    until(lambda: value(site, "deck1.touch"), "the platter is held")
    page.wait_for_timeout(300)
    held = value(site, "deck1.position")
    page.wait_for_timeout(300)
    assert abs(value(site, "deck1.position") - held) < 0.02  # it stands under the hand
    for step in range(1, 9):  # half a turn: 0.9 s of the track
        wheel.move(0.5, step / 16)
    until(lambda: abs(value(site, "deck1.position") - held - 0.9) < 0.1, "half a turn on")
    page.mouse.up()
    until(lambda: not value(site, "deck1.touch"), "released")
    free = value(site, "deck1.position")
    until(lambda: value(site, "deck1.position") > free + 0.3, "it plays on")


@pytest.mark.usefixtures("playing")
def test_a_jog_wheel_that_is_hidden_under_the_hand_lets_go(tabs, site):
    page = tabs(390).view("decks")
    wheel = Wheel(page)
    wheel.move(0.5, 0)
    page.mouse.down()
    until(lambda: value(site, "deck1.touch"), "the platter is held")
    page.evaluate("document.querySelector('[role=tab][id$=-stems]').click()")
    wheel.jog.wait_for(state="detached")
    until(lambda: not value(site, "deck1.touch"), "nothing holds the deck")
    page.mouse.up()


@pytest.mark.usefixtures("playing")
def test_keys_bend_the_jog_wheel_while_they_are_held(tabs, site):
    page = tabs(390).view("decks")
    Wheel(page).jog.focus()
    page.keyboard.down("ArrowRight")
    until(lambda: value(site, "deck1.bend") == 4, "pushed")
    page.keyboard.up("ArrowRight")
    until(lambda: value(site, "deck1.bend") == 0, "and no more")
    page.keyboard.down("ArrowLeft")
    until(lambda: value(site, "deck1.bend") == -4, "slowed down")
    page.keyboard.press("Tab")  # the key goes up elsewhere
    page.keyboard.up("ArrowLeft")
    until(lambda: value(site, "deck1.bend") == 0, "the wheel has no focus: no bend")


@pytest.mark.usefixtures("loaded")
def test_a_preset_is_saved_recalled_and_deleted(tabs, site):
    site.call("set", path="deck1.eq.low.gain", value=-9.0)
    page = tabs().view("decks")
    page.get_by_role("button", name="Presets", exact=True).click()
    box = page.locator('[data-tool="presets"]')
    box.get_by_role("textbox").fill("verse")
    box.get_by_role("button", name="Save what is set now").click()
    recall = box.get_by_role("button", name="Recall verse")
    recall.wait_for()
    site.call("set", path="deck1.eq.low.gain", value=0.0)
    recall.click()
    until(lambda: value(site, "deck1.eq.low.gain") == -9.0, "the value that was saved")
    page.locator('[aria-pressed="true"]', has_text="verse").wait_for()
    box.get_by_role("textbox").fill("verse")
    box.get_by_role("button", name="Replace with what is set now").wait_for()
    box.get_by_role("button", name="Delete", exact=True).click()
    box.get_by_role("button", name="Delete verse").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    box.get_by_text("No presets yet").wait_for()
    assert not site.call("presets.list")["presets"]
    site.call("set", path="deck1.eq.low.gain", value=0.0)


@pytest.mark.usefixtures("loaded")
def test_a_kit_is_saved_loaded_and_deleted(tabs, site):
    track = f"#{site.tracks[0]}"
    site.call("pad.clear", all=True)
    page = tabs().view("decks")
    page.get_by_role("button", name="Sampler", exact=True).click()
    page.get_by_role("tab", name="Kits", exact=True).click()
    box = page.locator('[data-tool="kits"]')
    box.get_by_text("No kits yet").wait_for()
    box.get_by_role("textbox").fill("Friday night")
    box.get_by_role("button", name="Save the pads").click()
    page.locator("[role=alert], [role=status]", has_text="no pad has a sound").first.wait_for()

    site.call("pad.slice", pad=3, track=track, count=1)
    site.call("set", path="pad3.label", value="Hit")
    box.get_by_role("button", name="Save the pads").click()
    load = box.get_by_role("button", name="Load Friday night")
    load.wait_for()
    site.call("pad.clear", all=True)
    load.click()  # of empty pads there is nothing to lose
    until(lambda: value(site, "pad3.label") == "Hit", "the pad that was saved")
    page.locator("[role=alert], [role=status]", has_text="Friday night: 1 pad").first.wait_for()

    site.call("pad.slice", pad=4, track=track, count=1)
    load.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert value(site, "pad4.duration") > 0
    load.click()
    page.get_by_role("dialog").get_by_role("button", name="Load", exact=True).click()
    until(lambda: value(site, "pad4.duration") == 0, "a pad that the kit does not have")

    box.get_by_role("button", name="Delete", exact=True).click()
    box.get_by_role("button", name="Delete Friday night").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    box.get_by_text("No kits yet").wait_for()
    assert not site.call("pad.list")[3]["loaded"]


@pytest.mark.usefixtures("loaded")
def test_a_recording_is_started_shown_and_stopped_and_its_file_is_named(tabs, site):
    page = tabs().view("decks")
    record = page.locator('footer [data-control="recorder.on"]')
    page.click('[data-action="tools"]')
    page.get_by_role("tab", name="Recorder", exact=True).click()
    record.click()
    until(lambda: value(site, "recorder.on"), "it records")
    page.get_by_role("button", name="Recording, 0:0").first.wait_for()
    until(lambda: value(site, "recorder.time") > 1, "a second of it")
    name = page.locator("[data-recording]")
    name.wait_for()
    record.click()
    until(lambda: not value(site, "recorder.on"), "it stops")
    page.get_by_role("button", name="Record", exact=True).first.wait_for()
    path = Path(name.inner_text())
    assert path.stat().st_size > 44
    assert str(path) == site.call("record.status")["path"]


@pytest.mark.usefixtures("loaded")
def test_an_effect_unit_has_a_chain_a_macro_and_a_bypass(tabs, site):
    page = tabs().view("decks")
    page.get_by_role("button", name="Effects", exact=True).click()
    unit = page.locator('[data-tool="effects"] section').first
    unit.get_by_label("Chain of unit 1").select_option("echo-out")
    until(lambda: value(site, "fx1.chain") == "echo-out", "the chain in the engine")
    macro = unit.locator('[data-control="fx1.macro"]')
    x, y = middle(macro)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 60, steps=5)
    page.mouse.up()
    until(lambda: value(site, "fx1.macro") > 20, "the macro moves")
    switch = unit.locator('[data-control="fx1.on"]')
    was = value(site, "fx1.on")
    switch.click()
    until(lambda: value(site, "fx1.on") != was, "on or bypassed")
    until(lambda: switch.get_attribute("aria-pressed") == str(not was).lower(), "as shown")
    switch.click()
    until(lambda: value(site, "fx1.on") == was, "and back")
