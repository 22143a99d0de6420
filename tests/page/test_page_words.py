"""Words in the browser: the library searched by what is meant, tags, recipes, sets of loops."""

from __future__ import annotations

import io
import sqlite3
import tomllib
import zipfile
from contextlib import closing
from itertools import pairwise

import numpy as np
import pytest
from accessibility import LOOKS, violations
from desk_page import KEEP_AUDIO, until
from playwright.sync_api import expect

from sfa_engine.track import sound_tags

pytestmark = [pytest.mark.slow, pytest.mark.realtime]

SLOW_S = 60.0  # on a machine that has other work
JOB_S = 600.0  # there a worker, which yields to all others, gets a few percent of a core
LOOPS = "a drum loop of 8 beats and a bass loop of 4 beats"
KIT = "words"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
expect.set_options(timeout=SLOW_S * 1000)


def labels(**tags):
    """Return the probabilities of all labels, with those of some tags."""
    found = np.full(len(sound_tags.LABELS), 0.01, "<f4")
    for name, value in tags.items():
        found[sound_tags.TAGS[name.replace("_", " ")][0]] = value
    return found.tobytes()


@pytest.fixture(scope="module")
def tagged(site):
    """The demo's two tracks with known tags; afterwards those that they had."""
    columns = "track_id, version, digest, vector, measures"
    put = f"INSERT OR REPLACE INTO sound_tags ({columns}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608
    vector = np.ones(sound_tags.VECTOR, "<f4").tobytes()
    first, second = site.tracks
    tags = {first: labels(piano=0.6, female_vocals=0.9), second: labels(piano=0.7, techno=0.9)}
    with closing(sqlite3.connect(site.data / "library.db", timeout=60.0)) as library:
        before = library.execute(f"SELECT {columns} FROM sound_tags").fetchall()  # noqa: S608
        library.executemany(
            put, [(track, sound_tags.VERSION, "x", vector, tags[track]) for track in site.tracks]
        )
        library.commit()
        yield site.tracks
        library.execute("DELETE FROM sound_tags")
        library.executemany(put, before)
        library.commit()


@pytest.fixture
def client(site):
    """A client of backstage; afterwards neither mix nor kit is left."""
    with site.backstage() as client:
        yield client
        for each in client.call("mix.list")["mixes"]:
            client.call("mix.remove", name=each["name"])
        for each in client.call("kits.list")["kits"]:
            client.call("kits.delete", name=each["name"])


def library(tab, query=""):
    return tab.view("library", f"/library{query}", timeout_s=SLOW_S)


def opened(tab, action):
    """Open a dialog of the mix view."""
    page = tab.view("mix", timeout_s=SLOW_S)
    page.locator(f'[data-action="{action}"]').click()
    return page


def shown(page):
    """Return the titles of the rows, in their order."""
    return page.locator("[data-row] [data-open]").all_inner_texts()


# ---------------------------------------------------------------- library


@pytest.mark.usefixtures("tagged")
@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_search_in_words_tags_and_forms_are_accessible(tabs, theme, width):
    tab = tabs(width, theme)
    page = library(tab, "?q=dark,%20piano,%20xyzzy&by=words")
    expect(page.locator("[data-meaning]")).to_contain_text("Understood: dark, piano")
    expect(page.locator("[data-reasons]").first).to_be_visible()
    found = violations(page)
    page.locator('[data-action="tags"]').click()
    expect(page.locator('[data-tag="piano"]')).to_have_attribute("aria-pressed", "true")
    found += violations(page)
    assert page.evaluate(OVERFLOW) <= 0
    for action in ("plan-mix", "plan-recipe", "cut-loops"):
        opened(tab, action)
        page.locator('[data-action="more-options"]').click()
        if action == "plan-mix":
            page.locator('[data-action="add-pair"]').click()
        found += violations(page)
        assert page.evaluate(OVERFLOW) <= 0, action
        page.keyboard.press("Escape")
    assert not found, "\n".join(found)


@pytest.mark.usefixtures("tagged")
def test_hits_in_words_come_in_their_order_with_reasons_and_notes(tabs, client):
    page = library(tabs())
    words = "fast, banger, around 125"
    page.get_by_role("searchbox").fill(words)
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.locator('[data-action="search-in-words"]').click()
    expect(page.locator('[data-action="in-words"]')).to_have_attribute("aria-pressed", "true")
    said = client.call("library.search_words", words=words)
    assert said["count"] == 2
    until(lambda: len(shown(page)) == 2, "both rows")
    assert shown(page) == [track["title"] for track in said["tracks"]]
    meaning = page.locator("[data-meaning]")
    expect(meaning).to_contain_text(said["understood"])
    expect(meaning).to_contain_text('"banger" was not understood')
    for place, track in enumerate(said["tracks"]):
        row = page.locator(f'[data-row="{place}"]')
        for reason in track["reasons"]:
            expect(row).to_contain_text(reason)
    # The address has it, and names alone are as they were.
    page.reload()
    expect(meaning).to_contain_text(said["understood"])
    page.get_by_role("searchbox").fill("bmp:120")
    expect(page.get_by_role("alert").first).to_contain_text("did you mean")
    page.locator('[data-action="in-words"]').press("Enter")
    page.get_by_role("searchbox").fill("slow")
    until(lambda: shown(page) == ["Slow Gold"], "the name alone")
    expect(meaning).to_have_count(0)


def test_a_tag_is_chosen_from_those_there_are_with_their_counts(tabs, client, tagged):
    page = library(tabs())
    page.get_by_role("searchbox").fill("bpm:60-200")
    page.locator('[data-action="tags"]').press("Enter")
    said = client.call("library.tags")
    assert {each["name"]: each["count"] for each in said["tags"]} == {
        "piano": 2, "female vocals": 1, "techno": 1,
    }  # fmt: skip
    there = page.locator("[data-tag]")
    expect(there).to_have_count(3)
    names = {each.get_attribute("data-tag"): each.inner_text() for each in there.all()}
    assert names == {each["name"]: f"{each['name']}\n{each['count']}" for each in said["tags"]}
    vocals = page.get_by_role("button", name="female vocals, 1 track", exact=True)
    vocals.press("Enter")
    expect(vocals).to_have_attribute("aria-pressed", "true")
    search = page.locator('[type="search"]')
    expect(search).to_have_value("female vocals bpm:60-200")
    page.locator('[data-tag="piano"]').click()
    expect(search).to_have_value("female vocals, piano bpm:60-200")
    page.keyboard.press("Escape")
    expect(page.locator("[data-rows]")).to_have_attribute("data-rows", "1")
    page.locator('[data-action="tags"]').click()
    vocals.click()
    page.keyboard.press("Escape")
    expect(search).to_have_value("piano bpm:60-200")
    expect(page.locator("[data-rows]")).to_have_attribute("data-rows", str(len(tagged)))


# ---------------------------------------------------------------- forms


def test_a_mix_is_planned_with_every_option(tabs, site, client):
    page = opened(tabs(390), "plan-mix")
    first, second = site.tracks
    submit = page.locator('[data-action="submit-plan"]')
    page.get_by_role("textbox", name="Name").fill("all")
    page.get_by_role("combobox", name="Tracks from").select_option("tracks")
    page.get_by_role("textbox", name="Tracks, one a line").fill(f"{first}\n#{second}\n")
    page.get_by_role("combobox", name="Energy").select_option("falling")
    page.locator('[data-action="more-options"]').click()
    page.get_by_role("textbox", name="Change of tempo").fill("9")
    expect(page.get_by_text("Give 0 to 8 %.")).to_be_visible()
    expect(submit).to_be_disabled()
    page.get_by_role("textbox", name="Change of tempo").fill("2,5")
    page.get_by_role("textbox", name="Loudness of all").fill("\N{MINUS SIGN}12")
    page.get_by_role("switch", name="Shift keys").press("Space")
    page.get_by_role("textbox", name="Begin with").fill("no such track")
    page.get_by_role("textbox", name="End with").fill(str(first))
    submit.click()
    expect(page.get_by_role("alert")).to_contain_text('no track "no such track"')
    page.get_by_role("textbox", name="Begin with").fill(str(second))
    page.locator('[data-action="add-pair"]').click()
    page.get_by_role("textbox", name="Track of pair 1").fill(str(second))
    page.get_by_role("textbox", name="Directly after it").fill(str(first))
    submit.click()
    expect(page.locator('[data-shown="all"]')).to_be_visible()
    made = client.call("mix.show", name="all")
    assert [track["id"] for track in made["tracks"]] == [second, first]
    plan = tomllib.loads(made["text"])
    wanted = {"arc": "falling", "rate_pct": 2.5, "lufs": -12.0, "shift_key": False}
    assert {name: plan[name] for name in wanted} == wanted


def test_a_recipe_is_looked_at_then_made_and_refused_in_one_line(tabs, client):
    page = opened(tabs(), "plan-recipe")
    words = page.get_by_role("textbox", name="Recipe")
    words.fill("at least 5 stars")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("no track for this recipe")
    words.fill("three tracks, 110 to 130, rising, no vocals")
    page.locator('[data-action="look-recipe"]').click()
    found = page.locator("[data-recipe]")
    expect(found).to_contain_text("3 tracks, rising, no vocals")
    expect(found).to_contain_text("2 of 3 tracks were found")
    expect(found).to_contain_text("Nothing is stored yet")
    expect(found).to_contain_text("Slow Gold")
    assert client.call("mix.list")["mixes"] == []
    page.get_by_role("textbox", name="Name").fill("sunday")
    page.locator('[data-action="make-recipe"]').click()
    expect(page.locator('[data-shown="sunday"]')).to_be_visible()
    expect(page.locator('[data-shown="sunday"]')).to_contain_text("2 of 3 tracks were found")
    made = client.call("mix.show", name="sunday")
    assert made["arc"] == "rising"
    assert all(track["mute"] == ["vocals"] for track in made["tracks"])


@pytest.mark.nightly
@pytest.mark.timeout(2 * JOB_S)
def test_a_recipe_waits_for_the_analysis_that_a_track_lacks(tabs, site, client):
    lacking = site.tracks[0]
    with closing(sqlite3.connect(site.data / "library.db", timeout=60.0)) as library:
        library.execute("DELETE FROM analyses WHERE track_id = ?", (lacking,))
        library.commit()
    page = opened(tabs(), "plan-recipe")
    page.get_by_role("textbox", name="Recipe").fill("two tracks, 60 to 200")
    page.keyboard.press("Enter")
    expect(page.locator("[data-recipe]")).to_contain_text("no analysis yet")
    expect(page.locator("[data-batch]")).to_be_visible()
    shown = page.locator("[data-shown]")
    expect(shown).to_be_visible(timeout=JOB_S * 1000)
    made = client.call("mix.show", name=shown.get_attribute("data-shown"))
    assert sorted(track["id"] for track in made["tracks"]) == sorted(site.tracks)


@pytest.mark.timeout(2 * JOB_S)
def test_loops_are_found_heard_and_cut_into_a_zip(tabs, client):
    tab = tabs(390)
    page = opened(tab, "cut-loops")
    page.evaluate(KEEP_AUDIO)
    words = page.get_by_role("textbox", name="Loops", exact=True)
    words.fill("dark techno")
    page.locator('[data-action="look-loops"]').click()
    expect(page.get_by_role("alert")).to_contain_text("the words ask for no loops: write which")
    words.fill(LOOPS)
    page.locator('[data-action="look-loops"]').click()
    expect(page.locator("[data-found]")).to_have_attribute("data-found", "2")
    found = client.call("loops.plan", words=LOOPS)["loops"]
    for loop in found:
        line = page.locator(f'[data-loop="{loop["pad"]}"]')
        expect(line).to_contain_text(loop["why"])
        expect(line).to_contain_text(f"{loop['beats']} beats")
    page.locator('[data-action="listen-1"]').click()
    end_s = found[0]["start_s"] + 60 * found[0]["beats"] / found[0]["bpm"]
    times = "window.made.filter((e) => !e.paused).map((e) => e.currentTime)"
    begins = found[0]["start_s"] - 0.1
    heard = []

    def goes_round():
        heard.extend(page.evaluate(times))
        return any(later < earlier - 1 for earlier, later in pairwise(heard))

    until(goes_round, "the loop begins again", SLOW_S)
    assert all(begins <= time_s <= end_s + 1.0 for time_s in heard), (begins, end_s, heard)
    address = page.evaluate("new URL(window.made.at(-1).src).pathname")
    assert address == f"/files/{found[0]['track']}/drums"
    page.locator('[data-action="listen-1"]').press("Enter")
    until(lambda: page.evaluate(times) == [], "it is silent")
    page.get_by_role("combobox", name="Into").select_option("zip")
    page.locator('[data-action="make-loops"]').click()
    made = page.locator("[data-made]")
    expect(made).to_be_visible(timeout=JOB_S * 1000)
    expect(made).to_contain_text("2 loops cut")
    assert not violations(page)
    address = made.locator('[data-action="download-loops"]').get_attribute("href")
    saved = zipfile.ZipFile(io.BytesIO(tab.context.request.get(tab.origin + address).body()))
    names = [name for name in saved.namelist() if name.endswith(".flac")]
    assert [name[:3] for name in names] == ["01 ", "02 "]
    assert client.call("kits.list")["kits"] == []


@pytest.mark.timeout(2 * JOB_S)
def test_loops_are_cut_into_a_kit_whose_name_may_be_taken(tabs, client):
    client.call("kits.new", name=KIT)
    page = opened(tabs(), "cut-loops")
    page.get_by_role("textbox", name="Loops", exact=True).fill("a drum loop of 4 beats")
    page.get_by_role("textbox", name="Stretch all to").fill("12")
    expect(page.get_by_text("Give 20 to 400 BPM.")).to_be_visible()
    page.get_by_role("textbox", name="Stretch all to").fill("")
    page.get_by_role("textbox", name="Name of the kit").fill(KIT)
    page.locator('[data-action="make-loops"]').click()
    expect(page.get_by_role("alert")).to_contain_text(f'there is a kit "{KIT}"')
    page.locator('[data-action="more-options"]').click()
    page.get_by_role("switch", name="Replace a kit").click()
    page.locator('[data-action="make-loops"]').click()
    made = page.locator("[data-made]")
    expect(made).to_be_visible(timeout=JOB_S * 1000)
    expect(made).to_contain_text(f'The kit "{KIT}" has them on pad 1.')
    (pad,) = client.call("kits.show", name=KIT)["pads"]
    assert (pad["pad"], pad["missing"]) == (1, False)


@pytest.fixture
def mastering(tabs, site):
    """The form of a master with options, to measure alone, ready to be sent."""
    page = tabs(390).view("library", f"/library/{site.tracks[0]}", timeout_s=SLOW_S)
    page.wait_for_selector('[data-track-state="ready"]')
    page.locator('[data-action="track-menu"]').click()
    page.get_by_role("menuitem", name="Master", exact=True).click()
    page.get_by_role("combobox", name="Result").select_option("none")
    page.locator('[data-action="more-options"]').click()
    page.get_by_role("textbox", name="Loudness, in LUFS").fill("-3")
    expect(page.locator('[data-action="make-master"]')).to_be_disabled()
    page.get_by_role("textbox", name="Loudness, in LUFS").fill("-11")
    page.get_by_role("textbox", name="Highest true peak").fill("-2")
    page.get_by_role("textbox", name="What the limiter may take").fill("1,5")
    page.get_by_role("textbox", name="Track whose spectrum").fill(str(site.tracks[1]))
    page.get_by_role("combobox", name="Codec").select_option("none")
    return page


def test_a_master_is_asked_for_with_its_options(mastering, site, client):
    assert not violations(mastering)
    before = {job["id"] for job in client.call("jobs.list")["jobs"]}
    mastering.locator('[data-action="make-master"]').click()

    def queued():
        return [job for job in client.call("jobs.list")["jobs"] if job["id"] not in before]

    until(queued, "the job", SLOW_S)
    (job,) = queued()
    client.call("jobs.cancel", jobs=[job["id"]])
    args = client.call("jobs.show", job=job["id"])["args"]
    wanted = {
        "preset": "streaming",
        "target_lufs": -11.0,
        "ceiling_dbtp": -2.0,
        "limit_db": 1.5,
        "reference": site.tracks[1],
        "codec": "none",
        "format": "",
        "bits": 24,
        "compare": False,
    }
    assert args == wanted
    expect(mastering.get_by_role("alert")).to_contain_text("cancelled")


@pytest.mark.nightly
@pytest.mark.timeout(2 * JOB_S)
def test_a_report_alone_has_no_master_to_save(mastering):
    mastering.locator('[data-action="make-master"]').click()
    report = mastering.locator("[data-mastered]")
    expect(report).to_be_visible(timeout=JOB_S * 1000)
    expect(report.locator("[data-platforms] tbody tr").first).to_be_visible()
    assert report.locator("audio").count() == 0
    assert report.locator('[data-action="download-master"]').count() == 0
