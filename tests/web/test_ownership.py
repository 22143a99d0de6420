"""Whose things are whose, over real HTTP: every verb that looks at owners, by role and by owner."""

from __future__ import annotations

import shutil
import uuid

import pytest
from house import song
from shop import open_shop

from sfa_engine.surfaces.socket.relay import PREFIXES
from sfa_engine.web.rights import STORED

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with open_shop(tmp_path_factory.mktemp("shop")) as lent:
        yield lent


@pytest.fixture(scope="module")
def things(shop, tmp_path_factory):
    """Tracks and jobs by owner: the machine, eve, and the account of each role."""
    folder = tmp_path_factory.mktemp("songs")
    found = {}
    for seed, name in enumerate((None, "eve", *STORED), 10):
        path = song(folder / f"song of {name}.wav", seconds=2.0, bpm=100.0 + seed, seed=seed)
        found[name] = shop.prepare(name, path)
    shop.wait_idle()
    return found


#        own, the machine's, another account's
READ = {
    "user": (True, True, 404),
    "moderator": (True, True, True),
    "admin": (True, True, True),
    "super_admin": (True, True, True),
}
CHANGE = {
    "user": (True, 403, 404),
    "moderator": (True, 403, 403),
    "admin": (True, True, True),
    "super_admin": (True, True, True),
}
PERFORM = {**CHANGE, "user": (403, 403, 403)}  # without the scope
FLAG = {**READ, "user": (403, 403, 403)}
RULES = {"read": READ, "propose": READ, "library": CHANGE, "prepare": CHANGE, "perform": PERFORM}
# In this order: a removed track is restored by the next one. Parameters by names of what there is,
# and the status where the verb is allowed, if that is another than 200.
TABLE = {
    "library.find": ({"words": "#{track}"}, 200),
    "library.show": ({"track": "track"}, 200),
    "library.cover": ({"track": "track"}, 422),  # it has none
    "library.similar": ({"track": "track"}, 200),
    "library.compatible": ({"track": "track"}, 200),
    "library.files": ({"track": "track"}, 200),
    "library.stems": ({"track": "track"}, 200),
    "library.hotcues": ({"bundle": "bundle"}, 200),
    "library.history": ({"track": "track"}, 200),
    "library.edit": ({"track": "track", "values": {"comment": "x"}}, 200),
    "library.grid": ({"track": "track", "bpm": 120.0}, 200),
    "library.set_grid": (
        {"track": "track", "rate": 48_000, "anchors": [[0.0, 0.0]], "bpm": 120.0},
        200,
    ),
    "library.cue": ({"track": "track", "position_s": 0.5}, 200),
    "library.edit_cue": ({"cue": "cue", "values": {"label": "x"}}, 200),
    "library.delete_cue": ({"cue": "cue"}, 200),
    "library.save_hotcues": ({"bundle": "bundle", "hotcues": {"1": 0.5}}, 200),
    "library.save_memory_cue": ({"bundle": "bundle", "position_s": 1.0}, 200),
    "library.save_grid": ({"bundle": "bundle", "rate": 48_000}, 200),
    "library.played": ({"bundle": "bundle", "play": "play", "deck": 1, "played_at": 1.0}, 200),
    "library.flag": ({"track": "track", "reason": "loud"}, 200),
    "library.unflag": ({"track": "track"}, 200),
    "jobs.show": ({"job": "job"}, 200),
    "jobs.retry": ({"jobs": ["job"]}, 422),  # it did not fail
    "jobs.cancel": ({"jobs": ["job"]}, 200),  # it has ended: none is cancelled
    "library.remove": ({"track": "track"}, 200),
    "library.restore": ({"track": "track"}, 200),
    "prep.mastered": ({"job": "job"}, 422),  # it is no mastering job
    "loops.made": ({"job": "job"}, 422),  # it cuts no loops
    "library.exchanged": ({"job": "job"}, 422),  # it exchanges no library
    "prep.master": ({"track": "track", "format": "none", "codec": "none"}, 200),
    "prep.measure": ({"track": "track"}, 200),
    "prep.separate": ({"track": "track", "engine": "none"}, 200),
    "library.reanalyse": ({"words": "#{track}"}, 200),
}
# Verbs that look at owners and name no single thing: their tests are below, and elsewhere.
LISTS = {
    *("library.numbers", "library.rows", "library.search_words"),
    *("library.numbers_words", "library.tags"),
    *("mix.plan", "mix.show", "mix.text", "mix.save", "mix.replan", "mix.script", "mix.audition"),
    *(
        "mix.draft",
        "mix.audition_draft",
        "mix.chef",
        "mix.next",
        "mix.auditioned",
        "loops.plan",
        "loops.make",
    ),
    *("library.import", "library.export", "library.prepare", "library.formats"),
    *("library.search", "library.playlists", "library.playlist", "library.trash", "jobs.list"),
    *(
        "library.reanalysed",
        "library.statistics",
        "prep.add",
        "prep.batch",
        "prep.tracks",
        "library.flags",
    ),
    *("library.delete", "library.assign", "library.separate", "jobs.watch", "prep.cancel"),
    *("notifications.list", "notifications.read", "notifications.watch"),
    *("account.options", "account.keys", "account.set_key", "account.spotify"),
    *("account.spotify_begin", "account.spotify_finish", "account.spotify_forget"),
    *("llm.providers", "llm.add", "llm.move", "llm.remove"),
    *("llm.test", "llm.models", "llm.usage"),
    *("agents.ask", "agents.cancel", "proposals.list", "proposals.show", "proposals.apply"),
    *("proposals.add", "proposals.drop", "proposals.undo"),
    *("prep.cancel", "notifications.list", "notifications.read"),
    *("notifications.watch", "library.watch"),
}


def filled(value, there):
    """Return parameters with the things of a case in place of their names."""
    if isinstance(value, dict):
        return {name: filled(each, there) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, there) for each in value]
    if isinstance(value, str):
        return there.get(value, value.format(**there))
    return value


def test_the_table_has_every_verb_that_looks_at_owners(shop):
    owned = {one["name"] for one in shop.described if one["owned"]}
    assert owned == set(TABLE) | LISTS


def test_the_stage_hands_on_every_verb_that_backstage_has(shop):
    own = {"hello", "describe"}
    missing = [one["name"] for one in shop.described if not one["name"].startswith(PREFIXES)]
    assert set(missing) == own


@pytest.mark.parametrize("place", [0, 1, 2], ids=["own", "shared", "other"])
@pytest.mark.parametrize("role", STORED)
def test_each_role_on_its_own_the_machines_and_anothers(shop, things, role, place):
    track, job = things[(role, None, "eve")[place]]
    shop.wait_idle()
    scopes = {one["name"]: one["scope"] for one in shop.described}
    found, wanted = {}, {}
    for verb, (params, success) in TABLE.items():
        there = {
            "track": track,
            "job": job,
            "play": str(uuid.uuid4()),
            "cue": shop.client.call("library.cue", track=track, position_s=1.5)["id"]
            if verb in {"library.edit_cue", "library.delete_cue"}
            else 0,
        }
        if verb != "library.restore":
            there["bundle"] = shop.client.call("library.show", track=track)["bundle"]
        rule = FLAG if "flag" in verb else RULES[scopes[verb]]
        is_allowed = rule[role][place]
        answer = shop.ask(role, verb, filled(params, there))
        found[verb] = answer.status_code
        wanted[verb] = success if is_allowed is True else is_allowed
        if answer.status_code == 404 and "track" in params:
            assert answer.json()["detail"] == f"no track {track}"
        if answer.status_code == 404 and "bundle" in params:
            missing = {**params, "bundle": f"{there['bundle']}.none"}
            other = shop.ask(role, verb, filled(missing, there))
            assert (other.status_code, other.json()["hint"]) == (404, answer.json()["hint"])
    assert found == wanted
    assert shop.client.call("library.show", track=track)["name"]


def listed(answer):
    assert answer.status_code == 200, answer.text
    return {each["id"] for each in answer.json()["tracks"]}


def test_views_of_the_library(shop, things):
    everything = {track for track, _ in things.values()}
    shared, mine = things[None][0], things["user"][0]
    search = "library.search"
    for view, wanted in (("own", {mine}), ("shared", {shared}), ("combined", {mine, shared})):
        answer = shop.ask("user", search, {"view": view})
        assert listed(answer) == wanted
        assert answer.json()["count"] == len(wanted)
    assert listed(shop.ask("user", search)) == {mine, shared}
    for role in ("moderator", "admin"):
        assert listed(shop.ask(role, search)) >= everything
        assert listed(shop.ask(role, search, {"view": "own"})) == {things[role][0]}
    assert shop.ask("user", search, {"view": "all"}).status_code == 422


def test_what_another_account_has_is_found_by_no_word(shop, things):
    track, _ = things["eve"]
    name = shop.client.call("library.show", track=track)["name"]
    for words in (name, f"#{track}", shop.client.call("library.show", track=track)["uuid"]):
        answer = shop.ask("user", "library.show", {"track": words})
        assert answer.status_code == 404
        assert str(track) not in answer.json()["hint"]
    missing = shop.ask("user", "library.show", {"track": 9999})
    hidden = shop.ask("user", "library.show", {"track": track})
    assert missing.json()["hint"] == hidden.json()["hint"]
    assert listed(shop.ask("user", "library.search", {"words": f'"{name}"'})) == set()


def test_the_account_of_another_owner_is_shown_to_those_who_see_all(shop, things):
    track, _ = things["eve"]
    shown = shop.ask("moderator", "library.show", {"track": track}).json()
    assert shown["account"] == str(shop.numbers["eve"])
    own = shop.ask("eve", "library.show", {"track": track}).json()
    assert own["account"] == str(shop.numbers["eve"])
    shared = shop.ask("eve", "library.show", {"track": things[None][0]}).json()
    assert shared["account"] is None


def test_where_a_track_came_from_is_for_those_who_may_change_everything(shop, things):
    track, _ = things[None]
    for role in STORED:
        shown = shop.ask(role, "library.show", {"track": track}).json()
        listed = shop.ask(role, "library.search").json()["tracks"]
        (found,) = [each for each in listed if each["id"] == track]
        is_told = role in {"admin", "super_admin"}
        assert bool(shown["sources"]) is is_told
        assert bool(shown["source_path"]) is bool(found["source_path"]) is is_told


def test_views_of_jobs(shop, things):
    jobs = {name: job for name, (_, job) in things.items()}

    def ids(role, **params):
        answer = shop.ask(role, "jobs.list", params)
        assert answer.status_code == 200
        return {each["id"] for each in answer.json()["jobs"]} & set(jobs.values())

    assert ids("user", view="own") == {jobs["user"]}
    assert ids("user", view="shared") == {jobs[None]}
    assert ids("user") == {jobs["user"], jobs[None]}
    assert ids("moderator") == set(jobs.values())
    counts = shop.ask("user", "jobs.list", {"view": "own"}).json()["counts"]
    assert 0 < counts["done"] < shop.client.call("jobs.list")["counts"]["done"]
    shown = shop.ask("user", "jobs.show", {"job": jobs["user"]}).json()
    assert (shown["account"], shown["accounts"]) == (shop.numbers["user"], [shop.numbers["user"]])
    assert shop.ask("user", "jobs.show", {"job": jobs["eve"]}).json()["detail"] == (
        f"no job {jobs['eve']}"
    )


def test_batches_show_what_may_be_seen(shop, things):
    track, job = things["eve"]
    (batch,) = shop.client.call("jobs.show", job=job)["batches"]
    for role, count in (("eve", 1), ("moderator", 1), ("user", 0)):
        tracks = shop.ask(role, "prep.tracks", {"batch": batch}).json()["tracks"]
        assert [each["id"] for each in tracks] == [track] * count
        counts = shop.ask(role, "prep.batch", {"batch": batch}).json()["counts"]
        assert (sum(counts.values()) > 0) is bool(count)


def test_playlists_show_the_tracks_that_may_be_seen(shop, things):
    names = [f"#{things[name][0]}" for name in (None, "eve", "user")]
    shop.client.call("library.playlist_add", name="all", tracks=names)
    (playlist,) = shop.ask("user", "library.playlists").json()["playlists"]
    assert playlist["tracks"] == 2
    inside = shop.ask("user", "library.playlist", {"name": "all"}).json()
    assert [each["id"] for each in inside["entries"]] == [things[None][0], things["user"][0]]
    assert shop.ask("moderator", "library.playlists").json()["playlists"][0]["tracks"] == 3
    assert shop.ask("user", "library.playlist_drop", {"name": "all"}).status_code == 403
    shop.client.call("library.playlist_drop", name="all")


def test_a_second_import_of_a_sound_adds_a_member_and_the_last_takes_it_to_the_trash(
    shop, tmp_path
):
    first = song(tmp_path / "twice.wav", seconds=2.0, seed=70)
    second = tmp_path / "elsewhere" / "again.wav"
    second.parent.mkdir()
    shutil.copy(first, second)
    track, _ = shop.prepare("eve", first)
    assert shop.prepare("user", second)[0] == track
    shop.wait_idle()
    for name in ("eve", "user"):
        assert track in listed(shop.ask(name, "library.search", {"view": "own"}))
        values = {"track": track, "values": {"comment": name}}
        assert shop.ask(name, "library.edit", values).status_code == 200
    assert shop.ask("moderator", "library.edit", values).status_code == 403
    left = shop.ask("eve", "library.remove", {"track": track})
    assert left.json()["left"] is True
    assert shop.ask("eve", "library.show", {"track": track}).status_code == 404
    shown = shop.ask("user", "library.show", {"track": track}).json()
    assert shown["account"] == str(shop.numbers["user"])
    gone = shop.ask("user", "library.remove", {"track": track})
    assert gone.json()["left"] is False
    assert listed(shop.ask("user", "library.trash")) == {track}
    assert listed(shop.ask("eve", "library.trash")) == set()
    assert shop.ask("eve", "library.restore", {"track": track}).status_code == 404
    assert shop.ask("user", "library.restore", {"track": track}).status_code == 200


def test_an_import_of_what_the_machine_has_is_no_way_to_change_it(shop, tmp_path):
    path = song(tmp_path / "shared.wav", seconds=2.0, seed=71)
    track, _ = shop.prepare(None, path)
    assert shop.prepare("user", path)[0] == track
    shop.wait_idle()
    assert track in listed(shop.ask("user", "library.search", {"view": "own"}))
    assert track in listed(shop.ask("eve", "library.search", {"view": "shared"}))
    values = {"track": track, "values": {"title": "mine"}}
    assert shop.ask("user", "library.edit", values).status_code == 403
    again = {"sources": [str(path)], "engine": "sketch", "again": True}
    batch = shop.call("user", "prep.add", **again)["batch"]
    shop.wait_idle()
    jobs = shop.client.call("jobs.list", batch=batch)["jobs"]
    assert [each["kind"] for each in jobs] == ["import"]
    assert shop.client.call("library.show", track=track)["stems"] == []
    assert shop.ask("user", "library.remove", {"track": track}).json()["left"] is True
    assert shop.ask("user", "library.remove", {"track": track}).status_code == 403
    assert track in listed(shop.ask("user", "library.search", {"view": "shared"}))


def test_what_the_machine_imports_too_is_everybodys(shop, tmp_path):
    path = song(tmp_path / "private.wav", seconds=2.0, seed=72)
    track, _ = shop.prepare("eve", path)
    assert shop.ask("user", "library.show", {"track": track}).status_code == 404
    assert shop.prepare(None, path)[0] == track
    shop.wait_idle()
    assert shop.ask("user", "library.show", {"track": track}).status_code == 200
    assert track in listed(shop.ask("eve", "library.search", {"view": "own"}))


@pytest.mark.usefixtures("things")
def test_a_user_prepares_again_what_is_theirs_only(shop):
    answer = shop.ask("user", "library.reanalyse", {"words": "", "dry_run": True})
    own = listed(shop.ask("user", "library.search", {"view": "own"}))
    assert answer.json()["tracks"] == len(own)
    everything = shop.client.call("library.reanalyse", words="", dry_run=True)
    assert everything["tracks"] > len(own)


def test_flags_are_listed_for_admins(shop, things):
    track, _ = things["user"]
    flagged = {"track": track, "reason": "not ours to play"}
    assert shop.ask("moderator", "library.flag", flagged).status_code == 200
    assert shop.ask("moderator", "library.flags").status_code == 403
    found = shop.ask("admin", "library.flags").json()
    assert found["count"] == 1
    (flag,) = found["flags"]
    assert (flag["track"], flag["name"], flag["reason"]) == (track, "moderator", flagged["reason"])
    assert shop.ask("admin", "library.unflag", {"track": track}).json()["flags"] == 1
    assert shop.ask("admin", "library.flags").json()["count"] == 0
    empty = shop.ask("moderator", "library.flag", {"track": track, "reason": ""})
    assert empty.status_code == 422


def test_an_admin_gives_tracks_to_an_account_and_back(shop, things):
    track, _ = things["eve"]
    words = f'"{shop.client.call("library.show", track=track)["title"]}"'
    new = {"words": words, "account": shop.numbers["user"]}
    assert shop.ask("moderator", "library.assign", new).status_code == 403
    rehearsed = shop.ask("admin", "library.assign", {**new, "dry_run": True}).json()
    assert (rehearsed["tracks"], rehearsed["dry_run"]) == (1, True)
    assert [each["track"] for each in rehearsed["items"]] == [track]
    assert shop.ask("eve", "library.show", {"track": track}).status_code == 200
    assert shop.ask("admin", "library.assign", new).json()["items"][0]["error"] is None
    assert shop.ask("eve", "library.show", {"track": track}).status_code == 404
    assert shop.ask("user", "library.show", {"track": track}).status_code == 200
    unknown = shop.ask("admin", "library.assign", {**new, "account": 999})
    assert (unknown.status_code, unknown.json()["detail"]) == (422, "no user has the number 999")
    back = {"words": f"#{track}", "account": shop.numbers["eve"]}
    assert shop.ask("admin", "library.assign", back).status_code == 200
    assert shop.ask("eve", "library.show", {"track": track}).status_code == 200


@pytest.mark.usefixtures("things")
def test_an_admin_separates_many_as_one_batch(shop):
    words = '"song of"'
    count = shop.client.call("library.search", words=words)["count"]
    rehearsed = shop.ask("admin", "library.separate", {"words": words, "dry_run": True}).json()
    assert rehearsed["tracks"] == count
    assert not any("jobs" in each for each in rehearsed["items"])
    done = shop.ask("admin", "library.separate", {"words": words, "engine": "none"}).json()
    assert len(done["items"]) == count
    assert done["after"] == 0
    assert all(each["error"] is None and each["jobs"] for each in done["items"])
    shop.wait_idle()
    counts = shop.ask("admin", "prep.batch", {"batch": done["batch"]}).json()["counts"]
    assert sum(counts.values()) == sum(len(each["jobs"]) for each in done["items"])
    wrong = shop.ask("admin", "library.separate", {"words": words, "engine": "demuks"})
    assert wrong.status_code == 422
    assert shop.ask("admin", "library.separate", {"words": ""}).status_code == 422


def test_an_admin_deletes_many_whoever_has_them(shop, tmp_path):
    made = [
        shop.prepare(name, song(tmp_path / f"rubbish {name}.wav", seconds=2.0, seed=80 + seed))[0]
        for seed, name in enumerate((None, "eve"))
    ]
    for role in ("user", "moderator"):
        assert shop.ask(role, "library.delete", {"words": "rubbish"}).status_code == 403
    rehearsed = shop.ask("admin", "library.delete", {"words": "rubbish", "dry_run": True}).json()
    assert rehearsed["tracks"] == 2
    assert shop.client.call("library.search", words="rubbish")["count"] == 2
    done = shop.ask("admin", "library.delete", {"words": "rubbish"}).json()
    assert [each["track"] for each in done["items"]] == sorted(made)
    assert shop.client.call("library.search", words="rubbish")["count"] == 0
    assert shop.ask("eve", "library.restore", {"track": made[1]}).status_code == 200
    shop.client.call("library.restore", track=made[0])
    shop.wait_idle()
