"""Decks with what is rarely on them: no track, no stems, no grid, and texts of anything."""

import itertools
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from desk_page import until, value

from sfa_engine.desk.control import MAX_NAME
from sfa_engine.library.bundle import write_bundle_arrays
from sfa_engine.library.folding import FUNCTION, fold
from sfa_engine.track.media import MAX_TEXT

pytestmark = [pytest.mark.slow, pytest.mark.realtime]

PHONE = 390
WIDTHS = (PHONE, 1180, 1600)
SECONDS = 8
RATE = 48_000
LONG = "W" * 10_000
LEFTWARD = "\u202eموسيقى " + "א" * 60
SCRIPT = '<img src=x onerror="window.evil=1">&amp;<script>window.evil=1</script>{{7*7}}'
# What is on the screen and reaches beyond it, but for what scrolls in a box of its own.
BEYOND = """() => [...document.querySelectorAll("[data-control], [data-action], [role=tab], p")]
  .filter((each) => each.checkVisibility() && !each.closest("nav"))
  .filter((each) => {
    const box = each.getBoundingClientRect();
    return box.width && (box.left < -1 || box.right > innerWidth + 1 || box.height > 400);
  })
  .map((each) => each.outerHTML.slice(0, 120))"""


def tone(hz):
    wave = 0.3 * np.sin(2 * np.pi * hz * np.arange(SECONDS * RATE) / RATE)
    return np.stack([wave, wave], axis=1).astype(np.float32)


@pytest.fixture
def bundle(tmp_path):
    """A function that writes a track without stems and without a grid."""

    numbers = itertools.count()

    def write(title):
        return write_bundle_arrays(
            tmp_path / f"{next(numbers)}.sfa",
            {"mix": tone(220)},
            title=title,
            artist=title,
            bpm=None,
        )

    return write


@pytest.fixture
def decks(site):
    """Both decks empty, before and after."""

    def eject():
        for deck in (1, 2):
            site.call("set", path=f"deck{deck}.play", value=False)
            site.call("deck.eject", deck=deck, force=True)

    eject()
    yield
    eject()
    site.call("pad.clear", all=True)


def assert_in_place(page, width):
    assert page.evaluate("window.evil") is None
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    assert not page.evaluate(BEYOND)
    assert page.locator('[data-control="crossfader"]:visible').bounding_box()["width"] <= width


@pytest.fixture
def strange(site, bundle, decks):
    """Texts of all kinds on decks, hot cues and pads and in the library."""
    del decks
    for deck, text in ((1, LONG), (2, LEFTWARD)):
        site.call("deck.load", deck=deck, path=str(bundle(text[:MAX_TEXT])), force=True)
    for number, text in enumerate((LONG, LEFTWARD, SCRIPT), 1):
        site.call("press", path=f"deck1.hotcue{number}.store")
        until(lambda n=number: value(site, f"deck1.hotcue{n}.position") is not None, "a hot cue")
        site.call("set", path=f"deck1.hotcue{number}.label", value=text[:MAX_NAME])
        site.call("pad.slice", pad=number, track=f"#{site.tracks[0]}", count=1)
        site.call("set", path=f"pad{number}.label", value=text[:MAX_NAME])
    library = sqlite3.connect(site.data / "library.db", timeout=60.0)
    with closing(library):
        library.create_function(FUNCTION, 1, fold)
        with library:
            library.executemany(
                "INSERT INTO tracks (uuid, title, artist, bundle, duration_s, state, bpm, key,"
                " added_at, changed_at) VALUES (?, ?, ?, ?, 60, 'ready', 120, ?, 9e9, 0)",
                [(f"strange {n}", text, text, f"strange-{n}.sfa", text[:MAX_NAME])
                 for n, text in enumerate((LONG, LEFTWARD, SCRIPT))],
            )  # fmt: skip
        yield
        with library:
            library.execute("DELETE FROM tracks WHERE uuid LIKE 'strange %'")


@pytest.mark.usefixtures("strange")
def test_any_text_is_shown_as_text_and_moves_nothing(tabs):
    for width in WIDTHS:
        tab = tabs(width)
        page = tab.view("decks")
        title = page.locator('[data-title="1"]')
        title.wait_for()
        assert len(title.inner_text()) == MAX_TEXT
        assert title.bounding_box()["height"] < 30
        page.get_by_role("tab", name="Cues", exact=True).first.click()
        for text in (LONG, LEFTWARD, SCRIPT):
            page.get_by_role("button", name=text[:40]).first.wait_for()
        assert_in_place(page, width)
        page.click('[data-action="load-1"]')
        page.locator('[data-tool="library"]').get_by_text(SCRIPT).first.wait_for()
        assert_in_place(page, width)
        if width == PHONE:
            page.get_by_label("Tools").locator("select").first.select_option("sampler")
        else:
            page.locator(".tools > header").get_by_role("tab", name="Sampler").click()
        page.locator('[data-drop-pad="3"] button', has_text="<script>").wait_for()
        assert_in_place(page, width)
        tab.close()


@pytest.mark.usefixtures("decks")
@pytest.mark.parametrize("key", ["Eb minor", "Bb minor"])
def test_the_whole_key_is_shown_beside_the_tempo(tabs, site, tmp_path, key):
    path = write_bundle_arrays(
        tmp_path / "flat.sfa", {"mix": tone(220)}, title="Flat", artist="", bpm=120.0, key=key
    )
    site.call("deck.load", deck=1, path=str(path), force=True)
    site.call("set", path="deck1.keylock", value=False)
    site.call("set", path="deck1.rate", value=1.02)
    page = tabs().view("decks")
    shown = page.locator('[data-deck-header="1"] .key .caption')
    shown.filter(has_text=key).wait_for()
    assert shown.evaluate("(each) => each.scrollWidth <= each.clientWidth"), shown.inner_text()
    site.call("set", path="deck1.rate", value=1.0)


@pytest.mark.usefixtures("decks")
@pytest.mark.parametrize("width", WIDTHS)
def test_empty_decks_say_so_and_nothing_of_them_fails(tabs, width):
    page = tabs(width).view("decks")
    page.get_by_text("No track").first.wait_for()
    for name in ("Cues", "Loops", "Stems", "FX"):
        tab = page.get_by_role("tab", name=name, exact=True)
        if tab.count():
            tab.first.click()
    assert_in_place(page, width)
    assert not page.locator("[data-title]").count()


@pytest.mark.usefixtures("decks")
def test_a_track_without_stems_and_without_a_grid_plays_and_says_what_it_lacks(tabs, site, bundle):
    page = tabs(1180).view("decks")
    play = page.locator('[data-action="play-1"] button')
    before = play.bounding_box()
    site.call("deck.load", deck=1, path=str(bundle("Field recording")), force=True)
    page.locator('[data-title="1"]', has_text="Field recording").wait_for()
    strips = page.locator(".mixer .strips").first
    until(
        lambda: strips.locator('[data-control*="deck1.stem."][role="slider"]').count() == 1, "one"
    )
    assert play.bounding_box() == before  # nothing moves under the hand
    play.click()
    until(lambda: value(site, "deck1.position") > 0.2, "it plays")
    page.locator('[data-control="deck1.stem.mix.mute"]').click()
    until(lambda: value(site, "deck1.stem.mix.mute"), "the whole track is muted")
    page.locator('[data-control="deck1.stem.mix.mute"]').click()
    until(lambda: not value(site, "deck1.stem.mix.mute"), "and not")
    left = page.locator('[data-deck="1"]').first
    left.get_by_role("tab", name="Loops", exact=True).click()
    left.get_by_role("button", name="Loop of 4 beats").click()
    page.locator("[role=alert], [role=status]", has_text="grid").first.wait_for()
    assert not value(site, "deck1.loop.active")
    site.call("set", path="deck1.play", value=False)
