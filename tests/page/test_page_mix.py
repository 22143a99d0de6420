"""Mixes in the browser: planned, looked at, edited, auditioned, performed; and a master."""

from __future__ import annotations

import pytest
from accessibility import LOOKS, violations
from desk_page import until
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.realtime]

SLOW_S = 60.0  # on a machine that has other work
JOB_S = 600.0  # there a worker, which yields to all others, gets a few percent of a core
NAME = "evening"
expect.set_options(timeout=SLOW_S * 1000)


@pytest.fixture
def mixes(site):
    """A client of backstage; afterwards no mix runs, and none is stored."""
    with site.backstage() as client:
        yield client
        if client.call("mix.status")["running"]:
            client.call("mix.stop")
        for each in client.call("mix.list")["mixes"]:
            client.call("mix.remove", name=each["name"])


@pytest.fixture
def planned(site, mixes):
    """A plan of the demo's two tracks."""
    return mixes.call("mix.plan", name=NAME, tracks=site.tracks, ordered=True)


def names_in_order(page):
    return page.locator("[data-planned]").evaluate_all("all => all.map(e => +e.dataset.planned)")


def shown(tab, query=""):
    return tab.view("mix", f"/mix?plan={NAME}{query}", timeout_s=SLOW_S)


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_plan_transition_text_and_form_are_accessible(tabs, planned, theme, width):
    tab = tabs(width, theme)
    page = shown(tab, "&transition=1")
    expect(page.locator('[data-transition-panel="1"]')).to_be_visible()
    expect(page.locator("[data-live]")).to_have_attribute("data-live", "idle")
    found = violations(page)
    page.locator('[data-action="edit-text"]').click()
    expect(page.get_by_role("textbox", name="Plan in TOML")).to_have_value(planned["text"])
    found += violations(page)
    page.locator('[data-action="close-text"]').click()
    page.locator('[data-action="plan-mix"]').click()
    found += violations(page)
    assert not found, "\n".join(found)
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) <= 0


def test_a_mix_is_planned_from_words_and_shown_as_a_timeline(tabs, site, mixes):
    page = tabs().view("mix", timeout_s=SLOW_S)
    expect(page.get_by_text("No mix is planned yet")).to_be_visible()
    page.locator('[data-action="plan-mix"]').click()
    page.get_by_role("textbox", name="Name").fill("Not a name")
    expect(page.locator('[data-action="submit-plan"]')).to_be_disabled()
    page.get_by_role("textbox", name="Name").fill(NAME)
    page.get_by_role("textbox", name="Words to search for").fill("at least 5 stars")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("finds no track")
    page.get_by_role("textbox", name="Words to search for").fill("120 to 130")
    page.keyboard.press("Enter")
    expect(page.locator(f'[data-shown="{NAME}"]')).to_be_visible()
    there = mixes.call("mix.show", name=NAME)
    assert names_in_order(page) == [track["id"] for track in there["tracks"]]
    assert sorted(names_in_order(page)) == sorted(site.tracks)
    # Each bar is where its track is: both lanes are as long as the mix.
    lanes = page.locator("[data-timeline] li")
    assert lanes.count() == 2
    box = page.locator("[data-timeline]").bounding_box()
    for track in there["tracks"]:
        bar = page.locator("[data-timeline] li", has_text=track["name"]).bounding_box()
        left = track["start_s"] / there["length_s"] * box["width"]
        width = (track["end_s"] - track["start_s"]) / there["length_s"] * box["width"]
        assert bar["x"] - box["x"] == pytest.approx(left, abs=2.0)
        assert bar["width"] == pytest.approx(width, abs=2.0)
    page.locator('[data-transition="1"]').press("Enter")
    panel = page.locator('[data-transition-panel="1"]')
    for reason in there["transitions"][0]["why"]:
        expect(panel).to_contain_text(reason)


@pytest.mark.usefixtures("planned")
def test_order_and_text_are_edited_and_a_mistake_is_named_with_its_line(tabs, site, mixes):
    page = shown(tabs())
    first, second = site.tracks
    assert names_in_order(page) == [first, second]
    page.locator(f'[data-action="move-down-{first}"]').press("Enter")
    until(lambda: names_in_order(page) == [second, first], "the tracks change places", SLOW_S)
    made = mixes.call("mix.show", name=NAME)
    assert [track["id"] for track in made["tracks"]] == [second, first]
    page.locator('[data-action="edit-text"]').click()
    text = page.get_by_role("textbox", name="Plan in TOML")
    expect(text).to_have_value(made["text"])
    text.fill(made["text"].replace("trim_db", "trim_dbb", 1))
    page.locator('[data-action="save-text"]').click()
    expect(page.get_by_role("alert")).to_contain_text("line ")
    assert mixes.call("mix.text", name=NAME)["text"] == made["text"]
    edited = made["text"].replace("[[track]] # 1", "[[track]] # the first", 1)
    text.fill(edited)
    page.locator('[data-action="save-text"]').click()
    expect(text).to_have_count(0)
    assert mixes.call("mix.text", name=NAME)["text"] == edited
    page.locator(f'[data-action="take-out-{second}"]').click()
    until(lambda: names_in_order(page) == [first], "the track is gone", SLOW_S)
    page.locator('[data-action="remove-mix"]').click()
    page.get_by_role("button", name="Remove the plan").last.click()
    expect(page.get_by_text("No mix is planned yet")).to_be_visible()


@pytest.mark.timeout(2 * JOB_S)
@pytest.mark.usefixtures("planned")
def test_a_transition_is_auditioned_with_sound_picture_and_figures(tabs):
    page = shown(tabs(), "&transition=1")
    page.locator('[data-action="audition"]').click()
    panel = page.locator('[data-transition-panel="1"]')
    sound = panel.locator("audio")
    expect(sound).to_be_visible(timeout=JOB_S * 1000)
    seconds = "audio => audio.readyState >= 1 ? audio.duration : 0"
    until(lambda: sound.evaluate(seconds) > 30.0, "the sound is there", SLOW_S)
    width = "image => image.complete ? image.naturalWidth : 0"
    until(lambda: panel.locator("img").evaluate(width) > 0, "the picture is there", SLOW_S)
    rows = panel.get_by_role("table").locator("tbody tr")
    assert rows.count() >= 10
    expect(panel.get_by_role("table")).to_contain_text("bars with both basses")
    assert not violations(page)


def test_a_mix_is_started_taken_over_given_back_and_stopped(tabs, site, mixes, planned):
    page = shown(tabs())
    page.locator('[data-action="mix-start"]').click()
    live = page.locator("[data-live]")
    expect(live).to_have_attribute("data-live", "running")
    expect(live).to_contain_text(planned["tracks"][0]["name"])
    expect(live.locator("[data-coming]")).to_contain_text(" s, loaded")
    assert mixes.call("mix.status")["running"]
    until(lambda: site.call("get", path="deck1.play")["value"], "deck 1 plays", SLOW_S)
    site.call("set", path="deck1.fader", value=-6.0)
    expect(live.locator("[data-taken]")).to_contain_text("deck1.fader")
    assert not violations(page)
    page.locator('[data-action="give-back-1"]').click()
    expect(live.locator("[data-taken]")).to_have_count(0)
    assert mixes.call("mix.status")["taken"] == []
    page.locator('[data-action="mix-stop"]').click()
    expect(live).to_have_attribute("data-live", "idle")
    assert not mixes.call("mix.status")["running"]
    assert site.call("get", path="deck1.play")["value"]  # the decks play on


@pytest.mark.nightly
@pytest.mark.timeout(2 * JOB_S)
def test_a_track_is_mastered_compared_and_saved(tabs, site):
    tab = tabs()
    page = tab.view("library", f"/library/{site.tracks[0]}", timeout_s=SLOW_S)
    page.wait_for_selector('[data-track-state="ready"]')
    page.locator('[data-action="track-menu"]').click()
    page.get_by_role("menuitem", name="Master", exact=True).click()
    page.get_by_role("combobox", name="For", exact=True).select_option("dj")
    page.locator('[data-action="make-master"]').click()
    report = page.locator("[data-mastered]")
    expect(report).to_be_visible(timeout=JOB_S * 1000)
    seconds = "audio => audio.readyState >= 1 ? audio.duration : 0"
    for sound in report.locator("audio").all():
        until(lambda sound=sound: sound.evaluate(seconds) > 20.0, "the sound is there", SLOW_S)
    assert report.locator("audio").count() == 2
    job = int(report.get_attribute("data-mastered"))
    with site.backstage() as client:
        said = client.call("prep.mastered", job=job)
    for platform in said["result"]["platforms"]:
        row = report.locator("[data-platforms] tbody tr", has_text=platform["sentence"])
        assert row.count() >= 1, platform
    for step in said["chain"]:
        expect(report).to_contain_text(step["reason"])
    saved = report.locator('[data-action="download-master"]').get_attribute("href")
    assert tab.context.request.get(tab.origin + saved).body()[:4] == b"fLaC"
    assert not violations(page)
