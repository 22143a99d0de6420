"""The audit log: who changed what, in the transaction of the change, and for ever."""

import asyncio
import json
import sqlite3
import time
from contextlib import asynccontextmanager, closing
from functools import partial

import msgspec
import pytest
from house import prep_context

from sfa_engine.backstage.audit import Auditor, is_change
from sfa_engine.backstage.dispatcher import Dispatcher
from sfa_engine.backstage.spotify_accounts import SpotifyAccounts
from sfa_engine.backstage.spotify_session import SpotifySession
from sfa_engine.backstage.steps.clean import Clean
from sfa_engine.backstage.verbs.account import AccountVerbs
from sfa_engine.backstage.verbs.audit import AuditVerbs, Sent
from sfa_engine.backstage.verbs.jobs import JobVerbs
from sfa_engine.backstage.verbs.library import LibraryVerbs
from sfa_engine.backstage.verbs.llm import LlmVerbs
from sfa_engine.backstage.verbs.moderation import ModerationVerbs
from sfa_engine.backstage.verbs.reanalyse import ReanalyseVerbs
from sfa_engine.backstage.verbs.spotify import SpotifyVerbs
from sfa_engine.backstage.verbs.usage import UsageVerbs
from sfa_engine.backstage.verbs.webhooks import WebhookVerbs
from sfa_engine.backstage.webhooks.post import Poster
from sfa_engine.backstage.webhooks.sender import Sender
from sfa_engine.errors import Forbidden, LibraryError, Refused
from sfa_engine.library import audit, audit_schema
from sfa_engine.library.audit import HIDDEN, Entry, cleaned
from sfa_engine.library.database import Database, change, insert
from sfa_engine.library.migrations import MIGRATIONS, migrate
from sfa_engine.library.secret import Secrets
from sfa_engine.library.tags import Tags
from sfa_engine.library.tracks import add
from sfa_engine.wire.caller import Caller
from sfa_engine.wire.rights import SYSTEM, Actor
from sfa_engine.wire.session import Session
from sfa_engine.wire.verbs import SCOPES, exported

ANN = Actor(3, "admin", SCOPES, name="ann", address="192.168.1.7")


class Log:
    """Verbs of backstage with their audit log."""

    def __init__(self, context):
        self.context = context
        self.auditor = Auditor(context.database)
        dispatcher = Dispatcher(context.queue, {}, {})
        sender = Sender(context.database, Secrets(context.settings.data), Poster())
        self.audit = AuditVerbs(context.database)
        vault = Secrets(context.settings.data)
        spotify = SpotifySession(context.settings, vault)
        accounts = SpotifyAccounts(
            spotify, vault, partial(SpotifySession, context.settings), "client"
        )
        self.verbs = {
            **exported(LibraryVerbs(context, dispatcher)),
            **exported(JobVerbs(context.queue, dispatcher)),
            **exported(ModerationVerbs(context, dispatcher)),
            **exported(WebhookVerbs(sender, ())),
            **exported(AccountVerbs(context, accounts)),
            **exported(SpotifyVerbs(spotify, accounts)),
            **exported(ReanalyseVerbs(context, dispatcher)),
            **exported(UsageVerbs(context)),
            **exported(LlmVerbs(context)),
            **exported(self.audit),
        }

    async def call(self, name, /, actor=ANN, **params):
        """Call a verb as a session does."""
        bound = self.verbs[name]
        given = bound.verb.parse(msgspec.msgpack.encode(params))
        if "actor" in bound.verb.given:
            given["actor"] = actor
        result = self.auditor.around(bound.verb, actor, given, lambda: bound(**given), "web")
        return await result if asyncio.iscoroutine(result) else result

    async def rows(self, **of):
        return (await self.audit.audit_list(**of))["changes"]

    async def track(self, title="Halcyon"):
        async with self.context.database.transaction() as connection:
            made, _ = await add(connection, f"/m/{title}", tags=Tags(title=title))
        return made.id


@asynccontextmanager
async def logging_(folder):
    async with prep_context(folder) as context:
        yield Log(context)


def played(folder, play):
    async def run():
        async with logging_(folder) as log:
            return await play(log)

    return asyncio.run(run())


def test_an_edit_is_a_row_with_actor_target_before_and_after(tmp_path):
    async def play(log):
        number = await log.track()
        began_s = time.time()
        await log.call("library.edit", track=number, values={"artist": "Orbital", "rating": 4})
        (found,) = await log.rows()
        assert began_s - 1 < found["at_s"] < time.time() + 1
        assert {name: found[name] for name in ("account", "actor", "role", "address")} == {
            "account": 3,
            "actor": "ann",
            "role": "admin",
            "address": "192.168.1.7",
        }
        assert (found["verb"], found["surface"]) == ("library.edit", "web")
        assert (found["target"], found["outcome"]) == (f"track {number}", "ok")
        assert found["params"] == {"track": number, "values": {"artist": "Orbital", "rating": 4}}
        assert found["before"].items() >= {"artist": "", "rating": 0}.items()
        assert found["after"].items() >= {"artist": "Orbital", "rating": 4}.items()
        assert found["before"].keys() == found["after"].keys() == {"artist", "rating", "changed_at"}

    played(tmp_path, play)


def test_keys_and_codes_of_logins_are_in_no_row(tmp_path):
    async def play(log):
        key, code = "a very private key", "http://127.0.0.1:8888/callback?code=private&state=x"
        await log.call("account.set_key", service="lalalai", key=key)
        await log.call("llm.add", name="claude", adapter="anthropic", key="sk-private")
        with pytest.raises(Refused, match="no adapter"):
            await log.call("llm.add", name="other", adapter="antropic", key="sk-private")
        for verb in ("account.spotify_finish", "spotify.finish"):
            with pytest.raises(Refused, match="not for a login"):
                await log.call(verb, address=code)
        found = await log.rows()
        assert [each["verb"] for each in found] == [
            *("spotify.finish", "account.spotify_finish", "llm.add", "llm.add"),
            "account.set_key",
        ]
        assert found[-1]["params"] == {"service": "lalalai", "key": HIDDEN}
        assert found[-2]["params"] == {"name": "claude", "adapter": "anthropic", "key": HIDDEN}
        assert all(each["params"] == {"address": HIDDEN} for each in found[:2])
        assert "private" not in json.dumps(found)

    played(tmp_path, play)


def test_words_that_name_a_track_are_a_row_of_that_track(tmp_path):
    async def play(log):
        number = await log.track("Chime")
        await log.call("library.cue", track="chime", position_s=3.0, hot_cue=2)
        await log.call("library.remove", track="chime")
        await log.call("library.restore", track=number)
        restored, removed, cue = await log.rows()
        assert {each["target"] for each in (restored, removed, cue)} == {f"track {number}"}
        assert cue["before"]["cues"] == []
        assert cue["after"]["cues"] == ["cue 2 3.000 "]
        assert (removed["before"]["deleted_at"], restored["after"]["deleted_at"]) == (None, None)
        assert removed["after"]["deleted_at"] == restored["before"]["deleted_at"] > 0

    played(tmp_path, play)


@pytest.mark.parametrize("track", [1 << 63, "#9223372036854775808", "9" * 100, "\u0661", "#²"])
def test_a_number_that_no_track_has_is_a_row_without_a_track(tmp_path, track):
    async def play(log):
        with pytest.raises(Refused, match="no track"):
            await log.call("library.remove", track=track)
        (found,) = await log.rows()
        assert found["verb"] == "library.remove"
        assert found["outcome"].startswith("absent: no track")

    played(tmp_path, play)


def test_a_row_is_of_the_change_or_neither_is(tmp_path):
    """The row is in the same transaction: what rolls one back rolls back the other."""

    async def play(log):
        number = await log.track()
        database = log.context.database
        hook = database.before_commit

        async def then_the_disk_is_full(connection):
            await hook(connection)
            written = await connection.execute_fetchall("SELECT count(*) FROM audit")
            if written[0][0]:
                raise LibraryError("the disk is full")

        database.before_commit = then_the_disk_is_full
        with pytest.raises(LibraryError):
            await log.call("library.edit", track=number, values={"artist": "Orbital"})
        database.before_commit = hook
        assert await log.rows() == []
        shown = await log.call("library.show", track=number)
        assert shown["artist"] == ""
        await log.call("library.edit", track=number, values={"artist": "Orbital"})
        assert len(await log.rows()) == 1

    played(tmp_path, play)


def test_a_refused_change_is_a_row_with_its_error(tmp_path):
    async def play(log):
        with pytest.raises(Refused):
            await log.call("library.edit", track=77, values={"artist": "x"})
        with pytest.raises(Refused):
            await log.call("jobs.cancel", jobs=[77])
        cancelled, edited = await log.rows()
        assert edited["outcome"].startswith("absent: no track")
        assert (edited["before"], edited["after"]) == (None, None)
        assert cancelled["outcome"] == "absent: no job 77"
        assert cancelled["target"] == "job 77"

    played(tmp_path, play)


def test_a_change_of_many_is_a_row_of_each_track_and_a_dry_run_is_none(tmp_path):
    async def play(log):
        numbers = [await log.track(f"Halcyon {number}") for number in range(3)]
        await log.track("Chime")
        await log.call("library.delete", words="Halcyon", dry_run=True)
        assert await log.rows() == []
        await log.call("library.assign", words="Halcyon", account=7)
        found = await log.rows()
        assert [each["target"] for each in found] == [f"track {n}" for n in numbers[::-1]]
        for each in found:
            assert each["params"] == {"words": "Halcyon", "account": 7}
            assert (each["before"]["account"], each["after"]["account"]) == (None, "7")
        await log.call("library.delete", words="Halcyon")
        found = await log.rows(verb="library.delete")
        assert [each["target"] for each in found] == [f"track {n}" for n in numbers[::-1]]
        assert all(each["after"]["deleted_at"] > 0 for each in found)
        (removed,) = await log.rows(verb="library.delete", target=f"track {numbers[1]}")
        assert removed["before"]["deleted_at"] is None

    played(tmp_path, play)


def test_a_change_of_many_that_finds_none_is_one_row(tmp_path):
    async def play(log):
        await log.call("library.assign", words="nothing", account=7)
        (found,) = await log.rows()
        assert (found["target"], found["outcome"]) == ("words nothing", "ok")

    played(tmp_path, play)


def test_the_row_of_each_of_many_is_of_its_transaction(tmp_path):
    """What fails with one track is in its row, and the others have theirs."""

    async def play(log):
        first, second = [await log.track(f"Halcyon {number}") for number in range(2)]
        database = log.context.database
        hook = database.before_commit

        async def then_the_disk_is_full(connection):
            await hook(connection)
            written = await connection.execute_fetchall(
                "SELECT 1 FROM audit WHERE target = ? AND outcome = 'ok'", (f"track {first}",)
            )
            if written:
                raise LibraryError("the disk is full")

        database.before_commit = then_the_disk_is_full
        said = await log.call("library.assign", words="Halcyon", account=7)
        database.before_commit = hook
        assert [bool(each["error"]) for each in said["items"]] == [True, False]
        done, failed = await log.rows()
        assert (done["target"], done["outcome"]) == (f"track {second}", "ok")
        assert (failed["target"], failed["after"]) == (f"track {first}", None)
        assert "disk is full" in failed["outcome"]

    played(tmp_path, play)


def test_what_is_queued_for_many_is_recorded_with_their_numbers(tmp_path):
    async def play(log):
        numbers = [await log.track(f"Halcyon {number}") for number in range(450)]
        async with log.context.database.transaction() as connection:
            await change(connection, "UPDATE tracks SET bundle = 'x' || id, duration_s = 9")
        await log.call("library.reanalyse", words="Halcyon")
        found = await log.rows(verb="library.reanalyse")
        assert [each["target"] for each in found] == [
            "tracks 401-450",
            "tracks 201-400",
            "tracks 1-200",
        ]
        assert found[0]["after"] == {"numbers": ["401-450"]}
        await log.call("library.separate", words="Halcyon", after=numbers[-3])
        found = await log.rows(verb="library.separate")
        assert [each["target"] for each in found] == ["track 450", "track 449"]
        assert all(each["outcome"] == "ok" for each in found)
        said = await log.call("jobs.cancel", everything=True)
        (found,) = await log.rows(verb="jobs.cancel")
        assert found["target"].startswith("jobs 1-")
        assert found["after"] == {"numbers": [f"1-{said['count']}"]}

    played(tmp_path, play)


def test_the_trash_is_emptied_with_a_row_of_each_track(tmp_path):
    async def play(log):
        numbers = [await log.track(title) for title in ("Chime", "Halcyon")]
        await log.call("library.delete", words="added:<1d")
        await log.call("library.empty_trash")
        found = await log.rows(verb="library.empty_trash")
        assert {each["target"]: each["before"]["title"] for each in found} == {
            f"track {numbers[0]}": "Chime",
            f"track {numbers[1]}": "Halcyon",
        }
        assert all(each["after"] is None for each in found)

    played(tmp_path, play)


def test_numbers_are_written_as_ranges_that_a_row_keeps():
    assert audit.ranges([]) == [""]
    assert audit.ranges([7]) == ["7"]
    assert audit.ranges([5, 3, 1, 2, 9, 10, 2]) == ["1-3, 5, 9-10"]
    scattered = audit.ranges(range(0, 100_000, 2))
    assert len(scattered) == audit.MAX_LINES + 1
    assert scattered[-1].startswith("(and ")
    assert cleaned(scattered) == scattered
    assert len(json.dumps(scattered).encode()) < audit.MAX_JSON


def test_what_only_reads_is_no_row(tmp_path):
    async def play(log):
        number = await log.track()
        for name in ("library.search", "library.statistics", "library.flags", "jobs.list"):
            await log.call(name)
        await log.call("library.show", track=number)
        await log.call("library.check")
        await log.call("audit.list")
        assert await log.rows() == []
        await log.call("library.check", repair=True)
        await log.call("jobs.finish")
        assert [each["verb"] for each in await log.rows()] == ["jobs.finish", "library.check"]

    played(tmp_path, play)


def test_every_verb_that_changes_is_recorded(tmp_path):
    """A verb with another scope than `read` is recorded, unless it is known to be harmless."""

    async def play(log):
        return {
            name
            for name, bound in log.verbs.items()
            if bound.verb.declared.scope != "read" and not is_change(bound.verb, {})
        }

    assert played(tmp_path, play) == {
        *("library.check", "library.played", "webhooks.list", "webhooks.show"),
        *("webhooks.deliveries", "audit.list", "audit.add", "library.daily", "library.usage"),
        *("library.flags", "llm.test"),
    }


def test_webhooks_are_recorded_without_their_secrets(tmp_path):
    async def play(log):
        said = await log.call("webhooks.add", url="http://8.8.8.8/x")
        new = await log.call("webhooks.rotate", webhook=1)
        await log.call("webhooks.set", webhook=1, active=False)
        await log.call("webhooks.remove", webhook=1)
        rows = await log.rows(verb="webhooks")
        assert [each["verb"] for each in rows] == [
            *("webhooks.remove", "webhooks.set", "webhooks.rotate", "webhooks.add")
        ]
        removed, changed, _, added = rows
        assert added["params"] == {"url": "http://8.8.8.8/x"}
        assert (changed["before"], changed["after"]) == ({"active": 1}, {"active": 0})
        assert removed["before"]["url"] == "http://8.8.8.8/x"
        assert removed["after"] is None
        for secret in (said["secret"], new["secret"]):
            assert secret not in str(rows)

    played(tmp_path, play)


def test_rows_cannot_be_changed_replaced_or_deleted(tmp_path):
    async def play(log):
        await log.call("jobs.finish")
        await log.call("jobs.finish")
        database = log.context.database
        (row, _) = await log.rows()
        replaced = (
            "INSERT OR REPLACE INTO audit (id, uuid, at_s, account, actor, role, surface, address,"
            " verb, target, params, outcome) VALUES (?, ?, 0, 0, 'x', '', '', '', 'x', '', '', '')"
        )
        for statement in (
            *("UPDATE audit SET actor = 'bob'", "UPDATE audit SET id = id + 1"),
            *("DELETE FROM audit", "DELETE FROM audit WHERE id = 1"),
        ):
            with pytest.raises(sqlite3.IntegrityError, match="rows of the audit log are not"):
                async with database.transaction() as connection:
                    await change(connection, statement)
        async with database.transaction() as connection:
            await change(connection, replaced, (row["id"], row["uuid"]))
        assert [each["actor"] for each in await log.rows()] == ["ann", "ann"]

    played(tmp_path, play)


def test_clean_up_keeps_rows_for_ever_or_so_many_days_and_never_less_than_one(tmp_path):
    async def play(log):
        database = log.context.database
        day_s = 86_400.0
        async with database.transaction() as connection:
            for days in (400, 40, 20, 0.5):
                at_s = time.time() - days * day_s
                await audit.add(
                    connection, Entry(at_s, 0, "system", "system", "cli", "", "x", f"{days}")
                )
        done = await Clean(log.context)(None, lambda *_: None)
        assert done.result["audit_forgotten"] == 0
        assert len(await log.rows()) == 4
        async with database.transaction() as connection:
            assert await audit.prune(connection, time.time() - 30 * day_s) == 2
        assert [each["target"] for each in await log.rows()] == ["0.5", "20"]
        with pytest.raises(sqlite3.IntegrityError):  # the clean-up is over
            async with database.transaction() as connection:
                await change(connection, "DELETE FROM audit")
        async with database.transaction() as connection:
            assert await audit.prune(connection, time.time() + day_s) == 1
        assert [each["target"] for each in await log.rows()] == ["0.5"]

    played(tmp_path, play)


def test_no_more_than_the_newest_rows_are_kept():
    script = audit_schema.AUDIT.replace(str(audit_schema.MAX_KEPT), "3")
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE settings (name TEXT, value)")
        connection.executescript(script)
        for number in range(10):
            connection.execute(
                "INSERT INTO audit (uuid, at_s, account, actor, role, surface, address, verb,"
                " target, params, outcome) VALUES (?, 9e9, 0, '', '', '', '', '', '', '', '')",
                (str(number),),
            )
        deleted = "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - 3"
        assert connection.execute(deleted).rowcount == 7
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("DELETE FROM audit WHERE id = 8")


def test_the_list_is_filtered_and_paged(tmp_path):
    async def play(log):
        number = await log.track()
        other = Actor(4, "admin", SCOPES, name="bob")
        for _ in range(3):
            await log.call("jobs.finish")
        await log.call("library.edit", other, track=number, values={"artist": "x"})
        await log.call("library.edit", SYSTEM, track=number, values={"artist": "y"})
        assert len(await log.rows(actor="ann")) == 3
        assert len(await log.rows(actor="bob")) == 1
        assert [each["account"] for each in await log.rows(actor="system")] == [0]
        assert len(await log.rows(verb="library")) == 2
        assert len(await log.rows(verb="library.edit")) == 2
        assert await log.rows(verb="libr") == []
        assert len(await log.rows(target=f"track {number}")) == 2
        assert len(await log.rows(since="1h")) == 5
        async with log.context.database.transaction() as connection:
            await insert(
                connection,
                "INSERT INTO audit (uuid, at_s, account, actor, role, surface, address, verb,"
                " target, params, outcome) VALUES ('x', 0, 0, 'a', '', '', '', 'x', '', '{}', '')",
            )
        assert len(await log.rows(since="1h")) == 5
        first = await log.rows(limit=4)
        rest = await log.rows(limit=4, before=first[-1]["id"])
        assert [each["id"] for each in first + rest] == [6, 5, 4, 3, 2, 1]
        with pytest.raises(Refused):
            await log.rows(since="soon")

    played(tmp_path, play)


ROW = {
    "uuid": "0" * 32,
    "at_s": 5.0,
    "account": 3,
    "actor": "ann",
    "role": "admin",
    "address": "10.0.0.1",
    "verb": "users.role",
    "target": "user bob",
    "before": {"role": "user"},
    "after": {"role": "admin"},
}


def test_rows_of_the_web_process_are_taken_once(tmp_path):
    async def play(log):
        assert await log.call("audit.add", SYSTEM, changes=[ROW, {**ROW, "uuid": "1" * 32}])
        await log.call("audit.add", SYSTEM, changes=[ROW])
        system = {"uuid": "3" * 32, "account": 0, "actor": "system", "role": "system"}
        await log.call("audit.add", SYSTEM, changes=[{**ROW, **system, "address": ""}])
        *rows, cli = (await log.rows())[::-1]
        assert cli["surface"] == "cli"
        rows = rows[::-1]
        assert len(rows) == 2
        assert {**ROW, "surface": "web", "outcome": "ok"}.items() <= rows[1].items()
        with pytest.raises(Forbidden, match="for the web process"):
            await log.call("audit.add", ANN, changes=[{**ROW, "uuid": "2" * 32}])
        assert len(await log.rows()) == 3

    played(tmp_path, play)


@pytest.mark.parametrize("changed", [{"uuid": "x"}, {"role": "god"}, {"at_s": "now"}, {"more": 1}])
def test_other_rows_are_refused(changed):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**ROW, **changed}, Sent)


def test_secrets_paths_and_long_values_are_cut_out(tmp_path):
    value = {
        "password": "p",
        "client_secret": "s",
        "api_token": "t",
        "key": "A minor",
        "url": "https://ann:pw@example.org/x",
        "wrong": "http://ann@[::1",
        "text": "x" * 5000,
        "list": list(range(50)),
        "bad": "\udcff",
        "data": b"12345",
    }
    said = cleaned(value)
    assert said["password"] == said["client_secret"] == said["api_token"] == HIDDEN
    assert said["key"] == "A minor"
    assert said["url"] == f"https://{HIDDEN}@example.org/x"
    assert said["wrong"] == HIDDEN
    assert len(said["text"]) == audit.MAX_TEXT
    assert said["list"][-1] == "(and 30 more)"
    assert (said["bad"], said["data"]) == ("?", "(5 bytes)")

    async def play(log):
        number = await log.track()
        long = {f"name {n}": "é" * 300 for n in range(20)}
        async with log.context.database.transaction() as connection:
            await audit.add(
                connection, Entry(1.0, 0, "a", "b", "c", "d", "e", f"track {number}", long)
            )
        (found,) = await log.rows()
        assert len(json.dumps(found["params"], ensure_ascii=False).encode()) <= audit.MAX_JSON
        assert found["params"]["cut"].startswith('{"name 0"')

    played(tmp_path, play)


def test_the_session_gives_the_actor_to_what_is_around_a_call():
    seen = []

    def around(verb, actor, params, invoke):
        seen.append((verb.name, actor.name, dict(params)))
        return invoke()

    session = Session("backstage", "1", {}, around=around)
    _, data = Caller("x", "cli").request("describe", {})
    session.receive_data(data)
    while (action := session.next_action()) is not None:
        action.invoke()
    assert [name for name, _, _ in seen] == ["hello", "describe"]
    assert {name for _, name, _ in seen} == {"system"}


def test_a_library_of_before_gets_the_log(tmp_path):
    path = tmp_path / "library.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        names = [step.name for step in MIGRATIONS]
        migrate(connection, MIGRATIONS[: names.index("webhooks and their deliveries")])

    async def opened():
        async with await Database.open(path) as database:
            async with database.transaction() as connection:
                await audit.add(connection, Entry(1.0, 0, "a", "b", "c", "d", "e"))
            return await database.fetch("SELECT count(*) FROM audit")

    assert asyncio.run(opened())[0][0] == 1
