"""The decks in a browser: played by clicks and fingers, and the engine does what the page shows."""

import os
import signal

import pytest
from accessibility import LOOKS, violations
from desk_page import WITHIN_S, control, shown, until, value

from sfa_engine.bench.browser import touch

pytestmark = [pytest.mark.slow, pytest.mark.realtime]


def tempo_of(site, deck):
    return site.call("status")["decks"][deck - 1]["tempo"]


def middle(page, path):
    box = control(page, path).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.fixture
def empty_decks(site):
    for deck in (1, 2):
        site.call("set", path=f"deck{deck}.play", value=False)
        site.call("deck.eject", deck=deck, force=True)
        site.call("set", path=f"deck{deck}.sync", value="off")
        site.call("set", path=f"deck{deck}.fader", value=0.0)
    site.call("set", path="crossfader", value=0.0)


@pytest.fixture
def playing(site):
    site.load()


@pytest.mark.usefixtures("empty_decks")
def test_by_clicks_alone_two_tracks_are_mixed(tabs, site):
    page = tabs().view("decks")
    for deck, title in ((1, "Slow Gold"), (2, "Quicksilver")):
        page.click(f'[data-action="load-{deck}"]')
        page.fill('[data-tool="library"] input', title)
        page.locator('[data-tool="library"] [data-row="0"]', has_text=title).wait_for()
        page.locator(f'[data-action="load-track-{deck}"]').first.click()
        page.locator(f'[data-title="{deck}"]', has_text=title).wait_for()
    page.click('[data-action="play-1"] button')
    page.click('[data-action="sync-2"]')
    page.click('[data-action="play-2"] button')
    x, y = middle(page, "crossfader")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y, steps=5)
    page.mouse.up()
    until(lambda: value(site, "crossfader") < -5, "the crossfader in the engine")
    until(
        lambda: abs(shown(page, "crossfader") - value(site, "crossfader")) < 0.1,
        "the crossfader on the page is the engine's",
    )
    status = site.call("status")
    assert [deck["title"] for deck in status["decks"][:2]] == ["Slow Gold", "Quicksilver"]
    assert all(deck["playing"] for deck in status["decks"][:2])
    assert value(site, "deck2.sync") == 2
    until(lambda: abs(tempo_of(site, 1) - tempo_of(site, 2)) < 0.01, "both decks in one tempo")
    tempo = tempo_of(site, 2)
    until(
        lambda: abs(float(page.locator('[data-tempo="2"]').inner_text()) - tempo) < 0.02,
        "the tempo on the page",
    )
    level = page.locator('[data-master] [role="meter"]')
    until(lambda: float(level.get_attribute("aria-valuenow")) > -40, "sound on the master")


@pytest.mark.usefixtures("empty_decks")
def test_what_fits_the_track_that_plays_is_loaded_by_one_press(tabs, site):
    page = tabs().view("decks")
    assert not page.locator("[data-fits]").count()
    site.call("deck.load", deck=1, track=f"#{site.tracks[0]}")
    fits = page.locator("[data-fits]")
    fits.get_by_text("Quicksilver").wait_for()
    page.click('[data-action="load-fit-2"]')
    page.locator('[data-title="2"]', has_text="Quicksilver").wait_for()
    until(lambda: not fits.count(), "what is on a deck is not offered")


@pytest.mark.usefixtures("playing")
def test_two_fingers_move_two_faders_and_nothing_scrolls(tabs, site):
    tab = tabs(1180)
    page = tab.view("decks")
    paths = ("deck1.stem.drums.volume", "deck2.stem.bass.volume")
    for path in paths:
        control(page, path).wait_for()
        site.call("set", path=path, value=0.5)
    until(lambda: all(abs(shown(page, path) - 0.5) < 0.01 for path in paths), "the values before")
    places = [middle(page, path) for path in paths]
    devtools = tab.devtools()
    touch(devtools, "touchStart", places)
    for step in range(1, 7):
        down = [(x, y + sign * 6 * step) for sign, (x, y) in zip((1, -1), places, strict=True)]
        touch(devtools, "touchMove", down)
    touch(devtools, "touchEnd", [])
    until(
        lambda: value(site, paths[0]) < -1.0 and value(site, paths[1]) > 1.0,
        "one fader down, the other up",
    )
    assert page.evaluate("[scrollY, document.querySelector('main').scrollTop]") == [0, 0]


@pytest.mark.usefixtures("playing")
def test_the_fader_under_the_hand_does_not_jump(tabs, site):
    page = tabs().view("decks")
    path = "deck1.fader"
    site.call("set", path=path, value=-6.0)
    until(lambda: abs(shown(page, path) + 6.0) < 0.01, "the value before")
    x, y = middle(page, path)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 8, steps=2)
    held = shown(page, path)
    site.call("set", path=path, value=-30.0)
    for _ in range(10):
        page.wait_for_timeout(50)
        assert shown(page, path) == held
    page.mouse.move(x, y - 10)
    page.mouse.up()
    until(lambda: abs(value(site, path) - shown(page, path)) < 0.1, "the hand's value counts")
    assert value(site, path) > -6.0
    site.call("set", path=path, value=-3.0)
    until(lambda: abs(shown(page, path) + 3.0) < 0.01, "another hand is followed again")


@pytest.mark.usefixtures("playing")
def test_a_stage_that_restarts_under_the_hand_gets_nothing_late(tabs, site):
    page = tabs().view("decks")
    path = "deck2.fader"
    site.call("set", path=path, value=-1.0)
    until(lambda: abs(shown(page, path) + 1.0) < 0.01, "the value before")
    x, y = middle(page, path)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 10, steps=2)
    until(lambda: value(site, path) < -1.1, "the fader follows")
    page.wait_for_timeout(300)
    held = value(site, path)
    for name in ("stage", "host"):
        os.kill(site.pid(name), signal.SIGKILL)
    page.wait_for_selector('html:not([data-connection="online"])', timeout=WITHIN_S * 1000)
    page.mouse.move(x, y + 60, steps=4)  # while there is no engine
    page.mouse.up()
    page.wait_for_selector('html[data-connection="online"]', timeout=2 * WITHIN_S * 1000)
    until(lambda: abs(shown(page, path) - value(site, path)) < 0.1, "the engine's value")
    page.wait_for_timeout(500)
    assert abs(value(site, path) - held) < 0.01  # not where the hand went meanwhile


@pytest.mark.usefixtures("playing")
def test_a_phone_has_one_deck_its_tabs_and_always_the_crossfader(tabs):
    tab = tabs(390)
    page = tab.view("decks")
    page.click('[data-action="deck-2"]')
    page.locator('[data-title="2"]').wait_for()
    assert not page.locator('[data-title="1"]').count()
    for name in page.get_by_role("tab").all():
        name.click()
        for path in ("crossfader", "deck2.cue", "deck2.play"):
            box = control(page, path).bounding_box()
            assert box["y"] + box["height"] <= 844
            assert min(box["width"], box["height"]) >= 56
    assert page.evaluate("document.querySelector('main').scrollHeight <= innerHeight")


@pytest.mark.usefixtures("playing")
def test_performance_mode_is_left_by_a_hold_of_a_second_alone(tabs):
    tab = tabs(1180)
    page = tab.view("performance")
    assert not violations(page)
    assert not page.locator("nav").count()
    leave = page.locator('[data-action="leave"]')
    leave.click()
    page.go_back()
    page.wait_for_timeout(200)
    assert page.url.endswith("/performance")
    x, y = (leave.bounding_box()[key] + 22 for key in ("x", "y"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.wait_for_selector('[data-view="decks"]')
    page.mouse.up()


@pytest.mark.usefixtures("playing")
def test_keys_play_the_deck_that_has_the_focus(tabs, site):
    page = tabs().view("decks")
    page.locator('[data-control="deck1.play"][aria-pressed=true]:visible').wait_for()
    page.keyboard.press("Space")
    until(lambda: not value(site, "deck1.play"), "deck 1 stands")
    page.keyboard.press("d")
    page.keyboard.press("q")
    until(lambda: value(site, "deck2.quantise"), "deck 2 is quantised")
    page.keyboard.press("q")
    page.keyboard.press("?")
    page.locator('[data-tool="keys"]').wait_for()
    page.keyboard.press("Escape")
    page.locator('[data-tool="keys"]').wait_for(state="detached")


@pytest.mark.usefixtures("playing")
@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_the_decks_are_accessible(tabs, theme, width):
    page = tabs(width, theme).view("decks")
    page.locator('[data-title="1"]').wait_for()
    assert not violations(page)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
