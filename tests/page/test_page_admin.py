"""Jobs, controllers, settings and administration in a browser."""

from pathlib import Path

import py2tosc
import pytest
from accessibility import violations
from engine_process import until

pytestmark = [pytest.mark.slow, pytest.mark.realtime]


def test_an_invited_user_sets_a_password_by_the_link(tabs):
    page = tabs(1180).view("admin", "/admin?tab=users")
    page.click('[data-action="invite"]')
    page.fill("dialog input", "noa")
    page.click('[data-action="send-invite"]')
    link = page.locator("[data-invite-link]").get_attribute("data-invite-link")
    page.wait_for_selector("dialog img")  # the QR code
    visitor = tabs(390, cookie=())
    opened = visitor.view("welcome", link.removeprefix(visitor.origin))
    opened.fill("input[type=password]", "four stems, one deck")
    opened.click('[data-action="set-password"]')
    opened.wait_for_selector('[data-view="decks"]')
    assert opened.evaluate("fetch('/api/auth/me').then((a) => a.json()).then((a) => a.name)") == (
        "noa"
    )
    opened.wait_for_selector('nav a[href="/jobs"]')
    assert opened.locator('a[href="/admin"]').count() == 0


def test_a_failed_job_is_retried_and_says_why_it_failed(tabs, site, tmp_path):
    broken = Path(tmp_path) / "no music.wav"
    broken.write_bytes(b"not a sound file")
    with site.backstage() as client:
        (job,) = client.call("prep.add", sources=[str(broken)])["jobs"]
        until(lambda: client.call("jobs.show", job=job)["state"] == "failed", "the failure")
        ended_s = client.call("jobs.show", job=job)["ended_s"]
        page = tabs(1180).view("jobs", f"/jobs?state=failed&job={job}")
        detail = page.locator(f'[data-job-detail="{job}"]')
        detail.locator(".error .strong").wait_for()
        page.click(f'[data-action="retry-{job}"]')
        until(lambda: client.call("jobs.show", job=job)["ended_s"] > ended_s, "the second try")
        page.locator(f'[data-job="{job}"][data-job-state="failed"]').wait_for()
    narrow = tabs(390).view("jobs", "/jobs")
    narrow.locator("header button", has_text="failed job").wait_for()
    narrow.set_viewport_size({"width": 260, "height": 800})
    assert narrow.locator("h1").bounding_box()["height"] < 50  # one line: no word is broken


def test_a_track_is_a_row_of_its_steps_and_a_press_on_one_shows_it(tabs, site):
    site.load()
    page = tabs(1600).view("jobs", "/jobs")
    page.get_by_text("Decks 1 and 2 play: workers yield").wait_for()
    with site.backstage() as client:
        jobs = client.call("jobs.list", track=site.tracks[0])["jobs"]
    step = next(job["id"] for job in jobs if job["kind"] == "analyse")
    row = page.locator("[data-job]", has_text="Slow Gold")
    assert row.count() == 1
    row.locator('[data-step="analyse"][data-step-state="done"]').click()
    page.locator(f'[data-job-detail="{step}"]').wait_for()
    assert page.locator("[data-queue]").count() == 5
    phone = tabs(390).view("jobs", "/jobs")
    chips = phone.locator("[data-job]", has_text="Slow Gold").locator("[data-step]")
    assert [chip.is_visible() for chip in chips.all()].count(True) == 1


def test_the_overview_draws_the_load_of_the_last_minutes(tabs):
    page = tabs(1180).view("admin", "/admin")
    page.wait_for_selector('[data-points]:not([data-points="0"])', timeout=40_000)
    graph = page.locator("[data-points]")
    assert graph.locator("path.load").get_attribute("d").startswith("M")
    graph.locator("button").click()
    assert graph.locator("tbody tr").count() >= 1
    assert not violations(page)


def test_a_strip_of_tabs_is_scrolled_to_the_one_that_is_selected(tabs):
    page = tabs(390).view("admin", "/admin?tab=webhooks")
    selected = page.locator('[role="tab"][aria-selected="true"]')
    for name in ("Webhooks", "Overview"):
        assert selected.inner_text() == name
        box = selected.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        selected.press("Home")


def test_the_live_log_follows_and_stays_where_one_reads(tabs, site):
    tab = tabs(1180)
    page = tab.view("settings", "/settings")
    page.click('[role="switch"]')
    page.wait_for_selector('[role="switch"][aria-checked="true"]')
    log = next(site.rig.runtime.rglob("web.log"))

    def write(first, count):
        with log.open("a") as file:
            for number in range(first, first + count):
                file.write(f"2026-11-30T10:00:00.000+01:00 INFO web[9] marked line {number}\n")

    write(0, 80)
    page = tab.view("jobs", "/jobs?state=debug")
    page.get_by_text("marked line 79", exact=True).wait_for()
    lines = page.locator('[role="log"]')
    at_end = "(box) => box.scrollHeight - box.scrollTop - box.clientHeight < 24"
    until(lambda: lines.evaluate(at_end), "the end of the log")
    lines.evaluate("(box) => (box.scrollTop = 0)")
    page.wait_for_selector('[data-follows="false"]')
    write(80, 3)
    page.get_by_text("marked line 82", exact=True).wait_for(state="attached")
    assert lines.evaluate("(box) => box.scrollTop") == 0
    page.click('[data-action="follow"]')
    page.wait_for_selector('[data-follows="true"]')
    until(lambda: lines.evaluate(at_end), "the end of the log")


def test_the_layout_for_touchosc_is_one_that_others_read(tabs, tmp_path):
    page = tabs(1180, host="sfa.local").view("midi", "/midi?tab=tablets")
    page.wait_for_selector("img[alt]")  # the QR code
    with page.expect_download() as saved:
        page.click('[data-action="touchosc"]')
    assert saved.value.suggested_filename == "sfa-ipad.tosc"
    file = tmp_path / "deck.tosc"
    saved.value.save_as(file)
    assert py2tosc.load(file).validate() == []


def test_a_token_is_deleted_when_that_is_confirmed(tabs):
    page = tabs(1180).view("settings", "/settings?tab=devices")
    page.get_by_role("textbox", name="What it is for").fill("a lamp")
    page.get_by_role("button", name="Make a token").click()
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Delete a lamp").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_text("a lamp").wait_for(state="detached")
