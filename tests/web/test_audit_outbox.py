"""What the web process changes itself is in the audit log, also while backstage is away."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
from house import house
from served import HASH, PASSWORD, run_site, web_process

from sfa_engine.errors import Forbidden
from sfa_engine.web import audit_rows, secrets, users
from sfa_engine.web.database import _MIGRATIONS, FILE, open_database, transaction
from sfa_engine.web.rights import SYSTEM, Actor
from sfa_engine.wire.verbs import SCOPES


def rows(connection):
    return [row for _, row in audit_rows.waiting(connection)]


def test_each_change_of_an_account_is_a_row_with_who_made_it(tmp_path):
    ann = Actor(1, "super_admin", SCOPES, name="ann", address="10.0.0.9")
    with closing(open_database(tmp_path / FILE)) as connection:
        with transaction(connection):
            made = users.add(connection, SYSTEM, "ann", "super_admin")
            users.set_password(connection, made.id, HASH)
        connection.acting = audit_rows.described(ann)
        with transaction(connection):
            bob = users.add(connection, ann, "bob", "user")
            users.set_role(connection, ann, "bob", "moderator")
            users.set_status(connection, ann, "bob", "suspended")
            secrets.add_link(connection, bob)
            _, token = secrets.add_token(connection, bob, "lamp", ("read",), 90)
            secrets.delete_token(connection, bob.id, token.id)
        found = rows(connection)
    assert [(each["verb"], each["target"], each["actor"]) for each in found] == [
        ("users.add", "user ann", "system"),
        ("users.password", "user ann", "system"),
        ("users.add", "user bob", "ann"),
        ("users.role", "user bob", "ann"),
        ("users.status", "user bob", "ann"),
        ("users.link", "user bob", "ann"),
        ("tokens.add", "user bob", "ann"),
        ("tokens.delete", "user bob", "ann"),
    ]
    role = found[3]
    assert (role["before"], role["after"]) == ({"role": "user"}, {"role": "moderator"})
    assert (role["account"], role["role"], role["address"]) == (1, "super_admin", "10.0.0.9")
    assert abs(role["at_s"] - time.time()) < 60
    assert found[6]["after"]["purpose"] == "lamp"
    assert "argon2" not in json.dumps(found)
    assert len({each["uuid"] for each in found}) == len(found)


def test_a_row_is_of_the_change_or_neither_is(tmp_path):
    with closing(open_database(tmp_path / FILE)) as connection:
        user = Actor(7, "admin", SCOPES, name="eve")

        def change():
            with transaction(connection):
                users.add(connection, SYSTEM, "bob", "user")
                users.set_role(connection, user, "bob", "super_admin")

        with pytest.raises(Forbidden):
            change()
        assert rows(connection) == []
        assert users.find(connection, "bob") is None


def test_a_new_hash_of_the_same_password_is_no_change(tmp_path):
    with closing(open_database(tmp_path / FILE)) as connection:
        with transaction(connection):
            made = users.add(connection, SYSTEM, "ann", "user")
            users.set_password(connection, made.id, "old")
            users.refresh_hash(connection, made.id, "old", "new")
            users.set_password(connection, made.id, "newer")
        verbs = [each["verb"] for each in rows(connection)]
    assert verbs == ["users.add", "users.password", "users.password"]


def test_rows_that_wait_are_bounded(tmp_path):
    with closing(open_database(tmp_path / FILE)) as connection:
        with transaction(connection):
            for number in range(10_050):
                audit_rows.add(connection, "auth.login", f"user {number}", "wrong_password")
        count = connection.execute("SELECT count(*) FROM audit_outbox").fetchone()[0]
        assert count == 10_000
        assert rows(connection)[0]["target"] == "user 50"


def test_accounts_of_before_get_the_rows(tmp_path):
    path = tmp_path / FILE
    with closing(open_database(path)) as connection, transaction(connection):
        users.add(connection, SYSTEM, "ann", "user")
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        names = old.execute(
            "SELECT type, name FROM sqlite_master WHERE sql LIKE '%outbox%' AND type = 'trigger'"
        ).fetchall()
        for kind, name in names:
            old.execute(f"DROP {kind} {name}")
        old.execute("DROP TABLE audit_outbox")
        old.execute(f"PRAGMA user_version = {_MIGRATIONS.index(audit_rows.OUTBOX)}")
    with closing(open_database(path)) as connection:
        with transaction(connection):
            users.set_role(connection, SYSTEM, "ann", "moderator")
        assert [each["verb"] for each in rows(connection)] == ["users.role"]


def test_sign_ins_that_fail_and_changes_by_http_have_account_and_address(tmp_path):
    async def scenario(site):
        site.user("ann", "super_admin")
        async with site.client(address="10.0.0.5") as client:
            wrong = {"name": "ann", "password": "wrong horse"}
            assert (await client.post("/api/auth/login", json=wrong)).status_code == 401
            right = {"name": "ann", "password": PASSWORD}
            assert (await client.post("/api/auth/login", json=right)).status_code == 200
            added = await client.post("/api/users", json={"name": "bob", "role": "user"})
            assert added.status_code == 201
        site.user("eve", "user")  # by the command line: not by ann
        with closing(open_database(site.accounts)) as connection:
            found = rows(connection)
        failed, added = (
            next(e for e in found if e["verb"] == "auth.login"),
            next(e for e in found if e["target"] == "user bob"),
        )
        assert failed["target"] == "user ann"
        assert failed["outcome"].startswith("wrong_password")
        assert (failed["actor"], failed["role"], failed["address"]) == (
            *("(not signed in)", None, "10.0.0.5"),
        )
        assert (added["actor"], added["role"], added["address"]) == (
            *("ann", "super_admin", "10.0.0.5"),
        )
        assert {e["actor"] for e in found if e["target"] == "user eve"} == {"system"}
        assert "horse" not in json.dumps(found)

    run_site(scenario, tmp_path)


def test_requests_at_the_same_time_do_not_mix_their_actors(tmp_path):
    async def scenario(site):
        tokens = {name: site.user(name, "super_admin") for name in ("ann", "bea", "cid")}

        async def invite(name, token):
            async with site.client(token, address=f"10.0.0.{ord(name[0])}") as client:
                for number in range(8):
                    body = {"name": f"{name}-{number}", "role": "user"}
                    assert (await client.post("/api/users", json=body)).status_code == 201

        await asyncio.gather(*(invite(*each) for each in tokens.items()))
        with closing(open_database(site.accounts)) as connection:
            found = [e for e in rows(connection) if "-" in e["target"]]
        assert len(found) == 48  # each user and the link
        for each in found:
            assert each["target"].startswith(f"user {each['actor']}-")
            assert each["address"] == f"10.0.0.{ord(each['actor'][0])}"

    run_site(scenario, tmp_path)


@pytest.mark.slow
def test_rows_wait_while_backstage_is_away_and_are_in_the_log_once_it_is_back(tmp_path):
    def until(here, count):
        give_up = time.monotonic() + 60
        while True:
            with here.connect() as client:
                found = client.call("audit.list", verb="users")["changes"]
            if len(found) >= count:
                return found
            assert time.monotonic() < give_up, found
            time.sleep(0.1)

    def sfa(here, *words):
        command = [sys.executable, "-m", "sfa_engine.cli.main", *words]
        done = subprocess.run(command, env=here.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with house(tmp_path) as here:
        here.data.mkdir(parents=True)
        sfa(here, "web", "user", "add", "ann", "--role", "admin")
        token = ""
        with web_process(here.data, here.runtime) as web:
            here.start().close()
            until(here, 2)
            with closing(open_database(here.data / FILE)) as connection, transaction(connection):
                users.set_password(connection, users.get(connection, "ann").id, HASH)
                ann = users.get(connection, "ann")
                token, _ = secrets.add_token(connection, ann, "tests", SCOPES, None)
            until(here, 3)
            with web.client(headers={"Authorization": f"Bearer {token}"}) as client:
                give_up = time.monotonic() + 30
                while client.post("/api/audit/list", json={}).status_code != 200:
                    assert time.monotonic() < give_up
                    time.sleep(0.1)
                row = {"uuid": "0" * 32, "at_s": 1.0, "account": 0, "actor": "x", "role": "user"}
                row |= {"address": "", "verb": "users.add"}
                forged = client.post("/api/audit/add", json={"changes": [row]})
                assert forged.status_code in {404, 503}  # it is of no use over HTTP
                here.kill()
                body = {"name": "bob", "role": "user"}
                assert client.post("/api/users", json=body).status_code == 201
                web.kill()
                web.start()
                here.start().close()
                found = until(here, 5)
        bob = [each for each in found if each["target"] == "user bob"]
        assert [(e["verb"], e["actor"], e["address"]) for e in bob] == [
            ("users.link", "ann", "127.0.0.1"),
            ("users.add", "ann", "127.0.0.1"),
        ]
        listed = json.loads(sfa(here, "audit", "--verb", "users", "--json"))
        assert [each["uuid"] for each in listed] == [each["uuid"] for each in found]
        shown = sfa(here, "audit", "--actor", "ann")
        assert "users.add" in shown
        assert "user bob" in shown
        assert 'role: none → "user"' in shown
        with here.connect() as client:
            client.call("jobs.finish")
            (own,) = client.call("audit.list", verb="jobs")["changes"]
        assert (own["actor"], own["role"], own["surface"]) == ("system", "system", "cli")
