"""The decks over a slow link: 400 ms each way, and a lost packet in a hundred.

The fader of a hand stays under it, what was pressed is done once, and a connection that was lost
comes back alone and with the engine's values.
"""

from functools import partial

import desk_page
import pytest
from desk_page import control, shown, value

from sfa_engine.bench.browser import Tab
from sfa_engine.bench.tcp_proxy import proxy_to

pytestmark = [pytest.mark.slow, pytest.mark.realtime]

DELAY_S = 0.4
LOSS = 0.01
WITHIN_S = 15.0
until = partial(desk_page.until, within_s=WITHIN_S)


@pytest.fixture
def link(site):
    with proxy_to(site.port, DELAY_S, LOSS) as proxy:
        yield proxy


@pytest.fixture
def page(link, site, browser, ann):
    """The decks of a phone behind the slow link."""
    site.load(is_playing=False)
    tab = Tab(browser, f"http://127.0.0.1:{link.port}", ann, 390)
    page = tab.view("decks", timeout_s=60.0)
    page.wait_for_selector('html[data-connection="online"]', timeout=WITHIN_S * 1000)
    yield page
    tab.close()
    for deck in (1, 2):
        site.call("set", path=f"deck{deck}.play", value=False)
    assert not tab.complaints


def test_a_fader_stays_under_the_hand_and_is_followed_by_the_engine(page, site):
    path = "deck1.stem.drums.volume"
    site.call("set", path=path, value=-1.0)
    until(lambda: abs(shown(page, path) + 1.0) < 0.01, "the value before")
    page.evaluate(
        """(path) => {
          const fader = document.querySelector(`[data-control="${path}"]`);
          window.seen = [];
          new MutationObserver(() => window.seen.push(Number(fader.ariaValueNow)))
            .observe(fader, { attributes: true, attributeFilter: ["aria-valuenow"] });
        }""",
        path,
    )
    box = control(page, path).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 16):
        page.mouse.move(x, y + 3 * step)
        page.wait_for_timeout(60)
    page.mouse.up()
    left = shown(page, path)
    until(lambda: abs(value(site, path) - left) < 0.1, "the engine has the hand's last value")
    page.wait_for_timeout(2500)
    seen = [round(each, 3) for each in page.evaluate("window.seen")]  # the engine has 32 bits
    assert seen == sorted(seen, reverse=True), seen  # it went down alone: no older value came back
    assert abs(shown(page, path) - left) < 0.001
    site.call("set", path=path, value=-3.0)
    until(lambda: abs(shown(page, path) + 3.0) < 0.01, "another hand is followed")


@pytest.mark.nightly
def test_a_button_answers_at_once_and_counts_once(page, site):
    mute = control(page, "deck1.stem.bass.mute")
    mute.click()  # waits until the page knows whether it is on
    assert mute.get_attribute("aria-pressed") == "true"  # it waits for no answer
    mute.click()
    mute.click()
    until(lambda: value(site, "deck1.stem.bass.mute"), "muted in the engine")
    page.wait_for_timeout(2000)
    assert value(site, "deck1.stem.bass.mute")
    assert mute.get_attribute("aria-pressed") == "true"
    mute.click()
    until(lambda: not value(site, "deck1.stem.bass.mute"), "and not muted")
    before = value(site, "deck1.position")
    page.get_by_role("tab", name="More", exact=True).first.click()
    page.get_by_role("tab", name="Jump", exact=True).click()
    page.locator('[data-deck="1"]').get_by_text("+4", exact=True).click()
    until(lambda: value(site, "deck1.position") > before + 0.1, "a jump")
    page.wait_for_timeout(1500)
    beats = (value(site, "deck1.position") - before) * value(site, "deck1.tempo") / 60
    assert abs(beats - 4) < 0.5


def test_a_lost_connection_comes_back_once_and_true(page, link, site):
    path = "deck1.stem.vocals.volume"
    link.sleep()
    page.wait_for_selector('html:not([data-connection="online"])', timeout=2 * WITHIN_S * 1000)
    control(page, path).click(force=True)
    control(page, path).press("ArrowDown")  # while there is no connection
    site.call("set", path=path, value=-12.0)
    site.call("set", path="deck1.play", value=True)
    link.wake()
    page.wait_for_selector('html[data-connection="online"]', timeout=2 * WITHIN_S * 1000)
    until(lambda: abs(shown(page, path) + 12.0) < 0.01, "the engine's value")
    until(
        lambda: control(page, "deck1.play").get_attribute("aria-pressed") == "true", "deck 1 plays"
    )
    page.wait_for_timeout(2000)
    assert value(site, path) == -12.0
    assert link.channels == 1
