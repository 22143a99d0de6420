"""The waveforms of the decks in a browser: what is seen is what is played, and where."""

import statistics
import time

import numpy as np
import pytest
from desk_page import until, value

from sfa_engine.bench.browser import touch
from sfa_engine.library.bundle import write_bundle_arrays

pytestmark = [pytest.mark.slow, pytest.mark.realtime, pytest.mark.usefixtures("stopped")]

RULER_PX, LANE_PX = 18, 36
MARK = "#12ab34"  # a colour that nothing else has
MARK_SLOT = 8
BARS = 8
FRAME_S = 1 / 60
RATE = 48_000
SIX = ("vocals", "drums", "bass", "other", "guitar", "piano")
HUES = {"vocals": (255, 217, 31), "drums": (255, 90, 46), "bass": (47, 134, 255)}

GREY = (0x3D, 0x44, 0x4D)  # the middle one of a silent stem

# Counts the pixels of a colour in rows of the picture of a deck, two numbers off at most.
COUNT = """
([deck, top, height, colour]) => {
  const canvas = document.querySelector(`[data-waveform="${deck}"] canvas`);
  const copy = new OffscreenCanvas(canvas.width, height)
    .getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, -top);
  const { data } = copy.getImageData(0, 0, canvas.width, height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4)
    if (colour.every((each, index) => Math.abs(data[at + index] - each) <= 2)) count++;
  return count;
}
"""
# Where a mark is in each of some frames: its first column, and the time of the frame since 1970.
FOLLOW = """
([deck, colour, count]) => new Promise((resolve) => {
  const canvas = document.querySelector(`[data-waveform="${deck}"] canvas`);
  const copy = new OffscreenCanvas(canvas.width, 1).getContext("2d", { willReadFrequently: true });
  const found = [];
  const look = (now) => setTimeout(() => {
    copy.drawImage(canvas, 0, 4 - canvas.height);
    const { data } = copy.getImageData(0, 0, canvas.width, 1);
    for (let x = 0; x < canvas.width; x++) {
      if (!colour.every((each, index) => data[4 * x + index] === each)) continue;
      found.push([x, (performance.timeOrigin + now) / 1000]);
      break;
    }
    if (--count) requestAnimationFrame(look);
    else resolve({ found, width: canvas.width });
  });
  requestAnimationFrame(look);
})
"""


def waves(page):
    for deck in (1, 2):
        page.wait_for_selector(f'[data-waveform="{deck}"]:not([data-columns="0"])')


@pytest.fixture
def stopped(site):
    """Both decks stand in the middle of their tracks, where every stem sounds."""
    site.load(is_playing=False)
    for deck in (1, 2):
        site.call("set", path=f"deck{deck}.position", value=36.0, wait=True)


def test_a_lane_has_the_hue_of_its_stem_and_is_grey_when_muted(tabs, site):
    page = tabs().view("decks")
    waves(page)

    def count(stem, row):
        top = RULER_PX + row * LANE_PX
        return page.evaluate(COUNT, [1, top, LANE_PX, list(HUES[stem])])

    for row, stem in enumerate(HUES):
        until(lambda row=row, stem=stem: count(stem, row) > 500, f"the lane of {stem}")
        # A cue of another stem is a line of its hue, as high as the lane.
        assert all(count(other, row) < 4 * LANE_PX for other in HUES if other != stem)
    site.call("set", path="deck1.stem.vocals.mute", value=True)
    until(lambda: count("vocals", 0) < 4 * LANE_PX, "the lane of a muted stem has no hue")
    assert page.evaluate(COUNT, [1, RULER_PX, LANE_PX, list(GREY)]) > 500
    site.call("set", path="deck1.stem.vocals.mute", value=False)
    until(lambda: count("vocals", 0) > 500, "the hue is back")


def test_the_track_of_a_deck_is_read_once(tabs):
    asked = []
    tab = tabs()
    tab.page.on("request", lambda request: asked.append(request.url))
    page = tab.view("decks")
    waves(page)
    page.wait_for_timeout(500)
    assert sum(url.endswith("/curves") for url in asked) >= 2
    asked.clear()
    page.wait_for_timeout(2000)
    assert [url for url in asked if url.endswith("/curves")] == []


def test_two_device_pixels_for_each_css_pixel_make_a_picture_twice_as_fine(tabs):
    page = tabs(scale=2.0).view("decks")
    waves(page)
    picture = page.locator('[data-waveform="1"] canvas')
    box = picture.bounding_box()
    for row, stem in enumerate(HUES):
        rows = [1, 2 * (RULER_PX + row * LANE_PX), 2 * LANE_PX, list(HUES[stem])]
        until(lambda rows=rows: page.evaluate(COUNT, rows) > 2000, f"the lane of {stem}")
    size = picture.evaluate("canvas => [canvas.width, canvas.height]")
    assert size == [2 * box["width"], 2 * box["height"]]
    assert size[1] == 2 * (RULER_PX + 4 * LANE_PX)
    meter = page.locator('[data-control="deck1.fader"] canvas')
    height = meter.bounding_box()["height"]
    until(lambda: meter.evaluate("canvas => canvas.height") == round(2 * height), "the level")


def test_a_track_of_six_stems_has_six_lanes_and_six_strips(tabs, site):
    noise = np.random.default_rng(6)
    sounds = {
        stem: (0.05 * noise.standard_normal((8 * RATE, 2))).astype(np.float32) for stem in SIX
    }
    bundle = site.data / "tracks" / "Us - Six.sfa"
    if not bundle.exists():
        write_bundle_arrays(bundle, sounds, title="Six", artist="Us", bpm=120.0)
    site.call("deck.load", deck=1, path=str(bundle), force=True)
    page = tabs().view("decks")
    picture = page.locator('[data-waveform="1"] canvas')
    until(
        lambda: picture.bounding_box()["height"] == RULER_PX + 6 * LANE_PX, "a lane for each stem"
    )
    names = page.locator('[data-waveform="1"] .labels .ellipsis').all_inner_texts()
    assert names == ["Vocals", "Drums", "Bass", "Other", "Guitar", "Piano"]
    for stem in SIX:
        strip = page.locator(f'[data-control="deck1.stem.{stem}.volume"]').first.bounding_box()
        assert strip["width"] >= 24, f"the fader of {stem} can be taken"
        assert strip["x"] >= 0
        assert strip["x"] + strip["width"] <= 1600
    assert page.evaluate("document.documentElement.scrollWidth") == 1600


def test_the_playhead_is_where_the_engine_is_within_a_frame(tabs, site):
    cue_s = 50.0
    site.call("set", path=f"deck1.hotcue{MARK_SLOT}.position", value=cue_s, wait=True)
    site.call("set", path=f"deck1.hotcue{MARK_SLOT}.color", value=MARK)
    site.call("set", path="deck1.rate", value=1.06)
    page = tabs().view("decks")
    waves(page)
    site.call("set", path="deck1.position", value=44.0, wait=True)
    site.call("set", path="deck1.play", value=True)
    page.wait_for_timeout(1500)
    colour = [int(MARK[k : k + 2], 16) for k in (1, 3, 5)]
    tempo = site.call("status")["decks"][0]["tempo"]
    seen = page.evaluate(FOLLOW, [1, colour, 40])
    answers = []
    for _ in range(15):
        before = time.time()
        position_s = value(site, "deck1.position")
        after = time.time()
        answers.append((after - before, position_s, (before + after) / 2))
    _, position_s, at_s = min(answers)
    site.call("press", path=f"deck1.hotcue{MARK_SLOT}.clear")
    site.call("set", path="deck1.rate", value=1.0)
    width = seen["width"]
    per_s = width * tempo / (BARS * 4 * 60) / 1.06
    errors = [
        cue_s - (x - round(width / 3)) / per_s - (position_s + 1.06 * (time_s - at_s))
        for x, time_s in seen["found"]
    ]
    assert len(errors) > 20
    assert abs(statistics.median(errors)) < 1.06 * FRAME_S, errors


def test_a_finger_moves_a_track_that_stands_and_two_zoom(tabs, site):
    tab = tabs(1180)
    page = tab.view("decks")
    waves(page)
    box = page.locator('[data-waveform="1"]').bounding_box()
    x, y = box["x"] + 600, box["y"] + 80
    devtools = tab.devtools()
    before = value(site, "deck1.position")
    touch(devtools, "touchStart", [(x, y)])
    for step in range(1, 11):
        touch(devtools, "touchMove", [(x - 20 * step, y)])
        page.wait_for_timeout(30)
    until(lambda: value(site, "deck1.position") > before + 1.0, "the track follows the finger")
    touch(devtools, "touchEnd", [])
    until(lambda: not value(site, "deck1.touch"), "the hand is off")
    touch(devtools, "touchStart", [(x - 40, y), (x + 40, y)])
    touch(devtools, "touchMove", [(x - 90, y), (x + 90, y)])
    touch(devtools, "touchEnd", [])
    page.wait_for_selector('[data-waveform="1"][data-zoom="4"]')
    page.wait_for_selector('[data-waveform="2"][data-zoom="4"]')
    assert page.evaluate("[scrollX, scrollY, visualViewport.scale]") == [0, 0, 1]
    overview = page.locator('[data-overview="2"]').bounding_box()
    page.touchscreen.tap(overview["x"] + overview["width"] / 2, overview["y"] + 10)
    middle = value(site, "deck2.duration") / 2
    until(lambda: abs(value(site, "deck2.position") - middle) < 1.0, "a tap goes there")
