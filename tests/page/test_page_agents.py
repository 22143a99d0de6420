"""Agents in the browser: questions and words as they come, proposals, language models."""

from __future__ import annotations

import time
from itertools import count, pairwise

import httpx
import pytest
from accessibility import LOOKS, violations
from desk_page import KEEP_AUDIO, until
from fake_llm import KEY, MODEL, error, said, served, streamed
from playwright.sync_api import expect

pytestmark = [pytest.mark.slow, pytest.mark.realtime]

SLOW_S = 60.0  # on a machine that has other work
JOB_S = 600.0  # there a worker, which yields to all others, gets a few percent of a core
PHONE, DESK = 390, 1600
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
NUMBERS = count(1)
SENTENCES = ("It is a quiet one.", "That is all.")
# Keep when each click begins, on the clock of the track that plays.
KEEP_CLICKS = """() => {
  window.clicks = [];
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (at) {
    window.clicks.push(window.made[0].currentTime + at - this.context.currentTime);
    return start.call(this, at);
  };
}"""
expect.set_options(timeout=SLOW_S * 1000)


class Account:
    """A user of the page, who calls verbs over REST too."""

    def __init__(self, cookie, client):
        self.cookie = cookie
        self._client = client

    def post(self, verb, **params):
        return self._done(self._client.post(path(verb), json=params, timeout=SLOW_S))

    def get(self, verb, **params):
        return self._done(self._client.get(path(verb), params=params, timeout=SLOW_S))

    def propose(self, kind, verb, params, **of):
        """Store a proposal of one step; return its number."""
        draft = {
            "kind": kind,
            "title": f"some {kind}",
            "reason": "because",
            "steps": [{"verb": verb, "params": params}],
            "details": {},
            **of,
        }
        return self.post("proposals.add", proposal=draft, agent="cues")["id"]

    def _done(self, answer):
        assert answer.status_code < 400, answer.text
        return answer.json()


def path(verb):
    return f"/api/{verb.replace('.', '/')}"


class Model:
    """A server of models that says what a test has written."""

    def __init__(self, fake):
        self.fake = fake
        self.reply = streamed()
        fake.always = self._said

    def _said(self, seen):
        return said({"data": [{"id": MODEL}]}) if seen.method == "GET" else self.reply

    @property
    def url(self):
        return f"{self.fake.url}/v1"


@pytest.fixture
def account(site):
    """A new account: none has asked or proposed anything, and each may ask ten times a minute."""
    cookie = site.sign_in(f"agent-{next(NUMBERS)}", "admin")
    headers = {"Cookie": "=".join(cookie), "Origin": site.origin}
    with httpx.Client(base_url=site.origin, headers=headers, trust_env=False) as client:
        yield Account(cookie, client)


@pytest.fixture(scope="module")
def fake():
    with served() as fake:
        yield fake


@pytest.fixture
def model(account, fake):
    """A provider of the account's."""
    model = Model(fake)
    given = {"adapter": "custom_openai", "url": model.url, "key": KEY, "model": MODEL}
    account.post("llm.add", name="rig", **given)
    return model


def library(tab, track=None):
    """Open the library with the agents beside it."""
    address = "/library" if track is None else f"/library/{track}"
    page = tab.view("library", f"{address}?agents=1", timeout_s=SLOW_S)
    expect(page.locator("[data-example]").first).to_be_visible()
    return page


def ask(page, question):
    """Ask a question; return where its answer comes."""
    field = page.get_by_role("textbox", name="Question")
    field.fill(question)
    field.press("Enter")
    turn = page.locator("[data-turn]", has_text=question).last
    expect(turn).to_be_visible()
    return turn


def answered(page, question):
    """Ask a question; return the answer when it is there."""
    answer = ask(page, question).locator("[data-answer]")
    expect(answer).to_be_visible()
    return answer


def listed(page):
    page.get_by_role("tab", name="Proposals").click()


def card(page, number):
    return page.locator(f'[data-proposal="{number}"]')


def cue(track, slot=30, position_s=4.0):
    params = {"track": track, "position_s": position_s, "hot_cue": slot, "label": "vox"}
    return ("cues", "library.cue", params)


# ---------------------------------------------------------------- looks


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_dialogue_proposals_and_providers_are_accessible(tabs, site, account, theme, width):
    track = site.tracks[0]
    account.propose(*cue(track), tracks=[track])
    account.propose("grid", "library.grid", {"track": track, "shift": 0.5}, tracks=[track])
    tab = tabs(width, theme, account.cookie)
    if width == PHONE:
        page = tab.view("library", f"/library/{track}", timeout_s=SLOW_S)
        page.goto(f"{tab.origin}/chat")
    else:
        page = library(tab)
    expect(page.locator("[data-example]").first).to_be_visible()
    found = violations(page)
    page.locator('[data-action="agent-options"]').click()
    page.get_by_role("switch", name="By rules alone").click()
    expect(answered(page, f"what key is #{track}").locator("[data-credit]")).to_contain_text(
        "rules"
    )
    found += violations(page)
    assert page.evaluate(OVERFLOW) <= 0
    listed(page)
    expect(page.locator("[data-proposal-state=open]")).to_have_count(2)
    expect(page.locator('[data-action="click-after"]')).to_be_visible()
    found += violations(page)
    assert page.evaluate(OVERFLOW) <= 0
    page = tab.view("settings", "/settings?tab=models", timeout_s=SLOW_S)
    expect(page.locator('[data-provider="rig"]')).to_be_visible()
    page.locator('[data-action="models-rig"]').click()
    expect(page.locator("[data-models]")).to_be_visible()
    found += violations(page)
    page.keyboard.press("Escape")
    page.locator('[data-action="more-options"]').click()
    found += violations(page)
    assert page.evaluate(OVERFLOW) <= 0
    assert not found, "\n".join(found)


@pytest.mark.parametrize("width", [900, 1400])
def test_they_are_beside_the_list_without_covering_it(tabs, site, account, width):
    page = library(tabs(width, cookie=account.cookie), site.tracks[0])
    rows = page.locator("[data-rows]").bounding_box()
    panel = page.get_by_role("complementary", name="Agents").bounding_box()
    assert rows["x"] + rows["width"] <= panel["x"] + 1
    assert panel["x"] + panel["width"] <= width
    assert panel["width"] >= 390
    assert page.evaluate(OVERFLOW) <= 0


# ---------------------------------------------------------------- questions


def test_an_answer_by_rules_has_evidence_that_selects_its_track(tabs, site, account):
    first, second = site.tracks
    page = library(tabs(DESK, cookie=account.cookie))
    question = f"what key is #{second} in"
    there = account.post("agents.ask", instruction=question, model=False)
    answer = answered(page, question)
    assert answer.locator(".output").inner_text() == there["output"]
    expect(answer).to_have_attribute("data-answer", "rules")
    expect(answer.locator("[data-credit]")).to_contain_text(
        "Answered by the agent “Track” · by rules"
    )
    place = next(k for k, each in enumerate(there["evidence"]) if each["track"] == second)
    assert place < 5
    link = answer.locator("[data-evidence]").first
    assert link.get_attribute("data-evidence") == str(second)
    link.click()
    page.wait_for_url(f"**/library/{second}?agents=1")
    title = account.get("library.show", track=second)["title"]
    expect(page.locator('[data-open][aria-current="true"]')).to_contain_text(title)
    # What may be asked next is a button, and the dialogue stays while other views are open.
    question = answer.locator('[data-action="next-question"]').first
    words = question.inner_text()
    question.click()
    expect(page.locator("[data-turn]")).to_have_count(2)
    expect(page.locator("[data-turn]").last).to_contain_text(words)
    expect(page.locator("[data-answer]")).to_have_count(2)
    page.get_by_role("link", name="Decks", exact=True).click()
    page.wait_for_selector('[data-view="decks"]')
    page.get_by_role("link", name="Library", exact=True).click()
    expect(page.locator("[data-answer]")).to_have_count(2)
    # "This" is the track that is open; an earlier question is known.
    page.goto(f"{page.url.partition('/library')[0]}/library/{first}?agents=1")
    expect(page.locator("[data-about]")).to_have_attribute("data-about", str(first))
    answer = answered(page, "how fast is this?")
    by_rules = account.post("agents.ask", instruction="how fast is this?", track=first, model=False)
    assert answer.locator(".output").inner_text() == by_rules["output"]


def test_a_place_of_a_track_moves_the_playhead(tabs, site, account):
    page = library(tabs(DESK, cookie=account.cookie))
    answer = answered(page, f"which cues does #{site.tracks[0]} have")
    link = answer.locator("[data-evidence]:visible", has_text=" at ").last
    minutes, seconds = link.inner_text().rpartition(" at ")[2].split(":")
    wanted = 60 * int(minutes) + float(seconds)
    assert wanted > 1
    link.click()
    wave = page.locator('[data-view="library"] [role="slider"]').first
    until(
        lambda: abs(float(wave.get_attribute("aria-valuenow")) - wanted) < 1.0,
        "the playhead",
        SLOW_S,
    )


def test_a_key_opens_them_and_a_phone_has_a_view(tabs, account):
    page = tabs(DESK, cookie=account.cookie).view("library", timeout_s=SLOW_S)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("textbox", name="Question")).to_be_focused()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("complementary", name="Agents")).to_have_count(0)
    expect(page.locator('[data-action="agents"]')).to_be_focused()
    page = tabs(PHONE, cookie=account.cookie).view("library", timeout_s=SLOW_S)
    page.locator('[data-action="agents"]').click()
    page.wait_for_selector('[data-view="chat"][data-state="ready"]')
    expect(page.locator("[data-example]")).to_have_count(6)


def test_words_of_a_model_come_sentence_by_sentence_with_what_they_cost(tabs, account, model):
    model.reply = streamed(*SENTENCES, pause_s=1.0)
    page = library(tabs(DESK, cookie=account.cookie))
    turn = ask(page, "how many tracks are there?")
    preview = turn.locator("[data-preview]")
    expect(preview).to_have_text(SENTENCES[0])
    answer = turn.locator("[data-answer]")
    expect(answer).to_have_attribute("data-answer", "model")
    expect(answer.locator(".output")).to_have_text(" ".join(SENTENCES))
    expect(preview).to_have_count(0)
    credit = answer.locator("[data-credit]")
    expect(credit).to_contain_text(f"worded by {MODEL}, rig")
    expect(credit).to_contain_text("18 tokens")
    expect(credit).to_contain_text("cost unknown")


def test_a_question_is_cancelled_and_backstage_forgets_it(tabs, account, model):
    model.reply = streamed("It is a quiet one.", "Wait", hangs=True)
    page = library(tabs(1180, cookie=account.cookie))
    for _ in range(3):  # one more than may be asked at once
        turn = ask(page, "how many tracks are there?")
        expect(turn.locator("[data-preview]")).to_be_visible()
        page.locator('[data-action="cancel-question"]').click()
        expect(turn.get_by_role("alert")).to_contain_text("The question was cancelled.")
    model.reply = streamed(*SENTENCES)
    page.locator('[data-action="ask-again"]').last.click()
    expect(page.locator('[data-answer="model"]')).to_be_visible()


def test_an_error_is_one_line_with_what_to_do(tabs, account):
    page = library(tabs(DESK, cookie=account.cookie), 999_999)
    turn = ask(page, "how fast is this?")
    expect(turn.get_by_role("alert")).to_contain_text("no track 999999: search for its title")
    expect(turn.locator('[data-action="ask-again"]')).to_be_visible()


# ---------------------------------------------------------------- proposals


def test_a_proposal_is_applied_undone_and_dropped(tabs, site, account):
    track = site.tracks[0]
    set_cue = account.propose(*cue(track), tracks=[track])
    tracks = [f"#{each}" for each in site.tracks]
    fill = account.propose("playlist", "library.playlist_add", {"name": "agents", "tracks": tracks},
                         tracks=site.tracks)  # fmt: skip
    page = library(tabs(DESK, cookie=account.cookie), track)
    button = page.locator('[data-action="agents"]')
    expect(button).to_have_accessible_name("Agents, 2 open proposals")
    listed(page)
    expect(page.locator("[data-proposals]")).to_have_attribute("data-proposals", "2")
    shown = card(page, set_cue)
    cells = shown.locator("tbody tr").locator("th, td")
    expect(cells).to_have_text(["Hot cue 30", "empty", "vox at 0:04.0"])
    expect(shown).to_contain_text("because")
    expect(shown).to_contain_text("by the agent “Cues”")

    def is_set():
        return any(each["slot"] == 30 for each in site.call("library.show", track=track)["cues"])

    shown.locator(f'[data-action="apply-{set_cue}"]').click()
    expect(shown).to_have_attribute("data-proposal-state", "applied")
    assert is_set()
    expect(button).to_have_accessible_name("Agents, 1 open proposal")
    shown.locator(f'[data-action="undo-{set_cue}"]').click()
    expect(shown).to_have_attribute("data-proposal-state", "undone")
    assert not is_set()
    card(page, fill).locator(f'[data-action="apply-{fill}"]').click()
    expect(page.locator('[data-playlist="agents"]')).to_be_visible()
    card(page, fill).locator(f'[data-action="undo-{fill}"]').click()
    expect(page.locator('[data-playlist="agents"]')).to_have_count(0)
    later = account.propose(*cue(track, 31), tracks=[track])
    page.locator('[data-action="proposals-open"]').click()
    card(page, later).locator(f'[data-action="drop-{later}"]').click()
    expect(card(page, later)).to_have_attribute("data-proposal-state", "dropped")
    expect(button).to_have_accessible_name("Agents")
    page.locator('[data-action="proposals-all"]').click()
    expect(card(page, set_cue)).to_have_attribute("data-proposal-state", "undone")


def test_what_does_not_fit_any_more_says_so_and_is_not_applied(tabs, site, account):
    track = site.tracks[0]
    number = account.propose(*cue(track, 32), tracks=[track])
    made = site.call("library.cue", track=track, position_s=9.0, hot_cue=32)
    try:
        page = library(tabs(DESK, cookie=account.cookie))
        listed(page)
        expect(card(page, number)).to_contain_text("It does not fit any more")
        expect(card(page, number).locator(f'[data-action="apply-{number}"]')).to_be_disabled()
    finally:
        site.call("library.delete_cue", cue=made["id"])


def test_a_cue_is_heard_from_its_place_and_a_grid_by_clicks(tabs, site, account):
    track = site.tracks[0]
    shown = site.call("library.show", track=track)
    heard = account.propose(*cue(track, 33, 12.0), tracks=[track])
    grid = account.propose(
        "grid", "library.grid", {"track": track, "tempo": "double"}, tracks=[track]
    )
    page = library(tabs(DESK, cookie=account.cookie))
    page.evaluate(KEEP_AUDIO)
    page.evaluate(KEEP_CLICKS)
    listed(page)
    play = card(page, heard).locator('[data-action="listen-cue-1"]')
    play.click()
    times = "window.made.filter((e) => !e.paused).map((e) => e.currentTime)"
    until(lambda: (page.evaluate(times) or [0])[0] > 12.05, "it plays", SLOW_S)
    assert all(12.0 <= time_s < 40.0 for time_s in page.evaluate(times))
    play.click()
    until(lambda: page.evaluate(times) == [], "it is silent")
    for side, factor in (("before", 1.0), ("after", 2.0)):
        page.evaluate("window.made.length = window.clicks.length = 0")
        button = card(page, grid).locator(f'[data-action="click-{side}"]')
        button.click()
        until(lambda: page.evaluate("window.clicks.length") >= 8, "clicks", SLOW_S)
        expect(button).to_have_attribute("aria-pressed", "true")
        button.click()
        clicks = page.evaluate("window.clicks")
        beat_s = 60.0 / (shown["bpm"] * factor)
        steps = [later - earlier for earlier, later in pairwise(clicks)]
        beats = [step / beat_s for step in steps]
        assert all(abs(each - round(each)) < 0.2 for each in beats), beats
        assert min(round(each) for each in beats) == 1, beats


@pytest.mark.nightly  # the same player is tested with a plan, see test_page_mix
@pytest.mark.timeout(2 * JOB_S)
def test_a_mix_is_heard_before_it_is_applied(tabs, site, account):
    draft = account.post("mix.draft", tracks=site.tracks, ordered=True)
    step = {"name": "agents-evening", "text": draft["text"], "was": ""}
    details = {
        "tracks": [{"id": each["id"]} for each in draft["tracks"]],
        "length_s": draft["length_s"],
        "transitions": [{"number": 1, "kind": "blend", "bars": 8}],
    }
    number = account.propose("plan", "mix.save", step, tracks=site.tracks, details=details,
                           audition=draft["name"])  # fmt: skip
    page = library(tabs(DESK, cookie=account.cookie))
    listed(page)
    shown = card(page, number)
    expect(shown).to_contain_text("Mix “agents-evening”")
    shown.locator('[data-action="audition"]').click()
    sound = shown.locator("audio")
    expect(sound).to_be_visible(timeout=JOB_S * 1000)
    seconds = "audio => audio.readyState >= 1 ? audio.duration : 0"
    until(lambda: sound.evaluate(seconds) > 30.0, "the sound is there", SLOW_S)
    shown.locator(f'[data-action="apply-{number}"]').click()
    expect(shown).to_have_attribute("data-proposal-state", "applied")
    assert account.get("mix.show", name="agents-evening")["text"] == draft["text"]
    shown.locator(f'[data-action="undo-{number}"]').click()
    expect(shown).to_have_attribute("data-proposal-state", "undone")
    assert "agents-evening" not in [each["name"] for each in account.get("mix.list")["mixes"]]


# ---------------------------------------------------------------- providers


def test_providers_are_added_tested_ordered_listed_and_removed(tabs, account, fake):
    model = Model(fake)
    page = tabs(PHONE, cookie=account.cookie).view(
        "settings", "/settings?tab=models", timeout_s=SLOW_S
    )
    expect(page.get_by_text("Answers are by rules.")).to_be_visible()
    for name in ("one", "two"):
        page.get_by_role("combobox", name="Adapter").select_option("custom_openai")
        add = page.locator('[data-action="add-provider"]')
        expect(add).to_be_disabled()
        page.get_by_role("textbox", name="Address").fill(model.url)
        page.get_by_label("Key", exact=True).fill(KEY)
        page.get_by_role("textbox", name="Model", exact=True).fill(MODEL)
        if name == "one":
            page.locator('[data-action="more-options"]').click()
        page.get_by_role("textbox", name="Name").fill("Not a name")
        expect(add).to_be_disabled()
        page.get_by_role("textbox", name="Name").fill(name)
        add.click()
        expect(page.locator(f'[data-provider="{name}"]')).to_contain_text("key stored")
    assert KEY not in page.content()
    assert page.get_by_label("Key", exact=True).input_value() == ""
    page.locator('[data-action="test-two"]').click()
    expect(page.locator('[data-provider="two"]')).to_have_attribute("data-provider-state", "ready")
    page.locator('[data-action="up-two"]').click()
    until(
        lambda: (
            [each["name"] for each in account.get("llm.providers")["providers"]] == ["two", "one"]
        ),
        "the order",
        SLOW_S,
    )
    expect(page.locator("[data-provider]").first).to_have_attribute("data-provider", "two")
    page.locator('[data-action="models-two"]').click()
    expect(page.locator("[data-models]")).to_contain_text(MODEL)
    page.keyboard.press("Escape")
    model.reply = streamed(*SENTENCES)
    assert account.post("agents.ask", instruction="how many tracks are there?")["by"] == "model"
    page.reload()
    day = time.strftime("%Y-%m-%d")
    row = page.locator("[data-usage] tbody tr", has_text="two").first
    expect(row).to_contain_text(day)
    expect(row).to_contain_text("?")  # a price that is not known
    fake.always = error("openai", 401, "invalid_api_key")
    page.locator('[data-action="test-one"]').click()
    expect(page.locator('[data-provider="one"]')).to_have_attribute(
        "data-provider-state", "key refused"
    )
    for name in ("one", "two"):
        page.locator(f'[data-action="remove-{name}"]').click()
        page.get_by_role("button", name="Remove", exact=True).last.click()
        expect(page.locator(f'[data-provider="{name}"]')).to_have_count(0)


def test_addresses_are_for_admins_and_each_account_has_its_own(tabs, site, model):
    page = tabs(DESK, cookie=site.sign_in("bob", "user")).view(
        "settings", "/settings?tab=models", timeout_s=SLOW_S
    )
    expect(page.get_by_text("Answers are by rules.")).to_be_visible()
    assert page.get_by_role("textbox", name="Address").count() == 0
    page.get_by_role("combobox", name="Adapter").select_option("custom_openai")
    expect(page.get_by_text("is for admins")).to_be_visible()
    expect(page.locator('[data-action="add-provider"]')).to_be_disabled()
    assert model.url not in page.content()
