"""Users, links, sessions and tokens in their database."""

import sqlite3
from contextlib import closing

import pytest

from sfa_engine.errors import Forbidden, LibraryError, Refused
from sfa_engine.web import secrets, users
from sfa_engine.web.database import open_database
from sfa_engine.web.rights import SCOPES_OF, SYSTEM, Actor

ADMIN = Actor(99, "admin", SCOPES_OF["admin"])


@pytest.fixture
def accounts(tmp_path):
    with closing(open_database(tmp_path / "accounts.db")) as connection:
        yield connection


def first(accounts, name="ann"):
    secret = secrets.add_link(accounts, None)
    return secrets.use_link(accounts, secret, name, "hash")


def test_the_first_user_may_do_everything(accounts):
    assert not users.exist(accounts)
    assert first(accounts).role == "super_admin"
    assert users.exist(accounts)


def test_a_link_of_the_first_user_is_used_once(accounts):
    secret = secrets.add_link(accounts, None)
    secrets.use_link(accounts, secret, "ann", "hash")
    with pytest.raises(Refused, match="not valid any more"):
        secrets.use_link(accounts, secret, "eve", "hash")
    with pytest.raises(Refused, match="there is a user"):
        secrets.add_link(accounts, None)


def test_a_newer_link_voids_an_older_one(accounts):
    old, new = secrets.add_link(accounts, None), secrets.add_link(accounts, None)
    assert secrets.link_user(accounts, old) == (False, None)
    assert secrets.link_user(accounts, new) == (True, None)


def test_a_link_expires(accounts, monkeypatch):
    secret = secrets.add_link(accounts, None)
    monkeypatch.setattr(secrets.time, "time", lambda: 1e12)
    assert secrets.link_user(accounts, secret) == (False, None)


def test_an_invited_user_sets_a_password_by_a_link(accounts):
    first(accounts)
    bob = users.add(accounts, SYSTEM, "bob", "user")
    assert bob.state == "invited"
    secret = secrets.add_link(accounts, bob)
    assert secrets.use_link(accounts, secret, "ignored", "hash").state == "active"
    assert users.find(accounts, "ignored") is None


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", "a/b", "a\0", "a\n", "x" * 65, "<b>"])
def test_an_invalid_name_is_refused(accounts, name):
    with pytest.raises(Refused, match="the name is"):
        users.add(accounts, SYSTEM, name, "user")


@pytest.mark.parametrize("name", ["Ann", "ANN", "\uff41nn"])
def test_names_that_look_alike_are_one(accounts, name):
    first(accounts)
    with pytest.raises(Refused, match="there is a user"):
        users.add(accounts, SYSTEM, name, "user")


def test_the_last_super_admin_stays_one(accounts):
    first(accounts)
    for change in (
        lambda: users.set_role(accounts, SYSTEM, "ann", "admin"),
        lambda: users.set_status(accounts, SYSTEM, "ann", "suspended"),
    ):
        with pytest.raises(Refused, match="last super_admin"):
            change()
    bob = users.add(accounts, SYSTEM, "bob", "super_admin")
    with pytest.raises(Refused, match="last super_admin"):  # bob cannot sign in yet
        users.set_role(accounts, SYSTEM, "ann", "admin")
    users.set_password(accounts, bob.id, "hash")
    assert users.set_role(accounts, SYSTEM, "ann", "admin").role == "admin"


def test_an_admin_makes_and_changes_no_account_of_an_admin(accounts):
    first(accounts)
    users.add(accounts, SYSTEM, "bob", "admin")
    users.add(accounts, ADMIN, "carl", "moderator")
    for change in (
        lambda: users.add(accounts, ADMIN, "eve", "admin"),
        lambda: users.set_role(accounts, ADMIN, "bob", "user"),
        lambda: users.set_role(accounts, ADMIN, "carl", "admin"),
        lambda: users.set_status(accounts, ADMIN, "bob", "suspended"),
        lambda: users.add(accounts, ADMIN, "eve", "super_admin"),
        lambda: users.set_role(accounts, ADMIN, "bob", "super_admin"),
        lambda: users.set_role(accounts, ADMIN, "ann", "user"),
        lambda: users.set_status(accounts, ADMIN, "ann", "suspended"),
    ):
        with pytest.raises(Forbidden):
            change()


def test_a_suspended_user_is_let_in_by_nothing(accounts):
    first(accounts)
    bob = users.add(accounts, SYSTEM, "bob", "user")
    users.set_password(accounts, bob.id, "hash")
    session = secrets.begin_session(accounts, bob.id, "::1", "browser")
    token, _ = secrets.add_token(accounts, bob, "t", ["read"], None)
    assert secrets.actor_of_session(accounts, session)
    assert secrets.actor_of_token(accounts, token)
    users.set_status(accounts, SYSTEM, "bob", "suspended")
    assert secrets.actor_of_session(accounts, session) is None
    assert secrets.actor_of_token(accounts, token) is None
    with pytest.raises(Refused, match="is suspended"):
        secrets.add_link(accounts, users.get(accounts, "bob"))
    users.set_status(accounts, SYSTEM, "bob", "active")
    assert secrets.actor_of_session(accounts, session) is None
    assert secrets.actor_of_token(accounts, token)


def test_a_new_password_ends_all_sessions(accounts):
    ann = first(accounts)
    session = secrets.begin_session(accounts, ann.id, "::1", "browser")
    users.set_password(accounts, ann.id, "another")
    assert secrets.actor_of_session(accounts, session) is None


def test_a_token_loses_scopes_with_its_users_role(accounts):
    first(accounts)
    bob = users.add(accounts, SYSTEM, "bob", "admin")
    token, _ = secrets.add_token(accounts, bob, "t", ["read", "admin"], None)
    users.set_role(accounts, SYSTEM, "bob", "user")
    actor, _ = secrets.actor_of_token(accounts, token)
    assert actor.scopes == {"read"}
    with pytest.raises(Refused, match="does not have the scope"):
        secrets.add_token(accounts, users.get(accounts, "bob"), "t", ["perform"], None)


def test_a_token_expires_and_is_deleted(accounts, monkeypatch):
    ann = first(accounts)
    short, _ = secrets.add_token(accounts, ann, "short", ["read"], 1)
    long, kept = secrets.add_token(accounts, ann, "long", ["read"], None)
    now = secrets.time.time()
    monkeypatch.setattr(secrets.time, "time", lambda: now + 2 * secrets.DAY_S)
    assert secrets.actor_of_token(accounts, short) is None
    assert secrets.actor_of_token(accounts, long)
    assert secrets.delete_token(accounts, ann.id, kept.id)
    assert secrets.actor_of_token(accounts, long) is None
    assert not secrets.delete_token(accounts, ann.id, kept.id)


@pytest.mark.parametrize("token", ["", "sfa_", "x" * 10_000, "sfa_\ud800", "sfa_" + "a" * 51])
def test_what_is_no_token_signs_nobody_in(accounts, token):
    first(accounts)
    assert secrets.actor_of_token(accounts, token) is None
    assert secrets.actor_of_session(accounts, token) is None


def test_an_idle_session_ends(accounts, monkeypatch):
    ann = first(accounts)
    session = secrets.begin_session(accounts, ann.id, "::1", "browser")
    now = secrets.time.time()
    monkeypatch.setattr(secrets.time, "time", lambda: now + secrets.SESSION_IDLE_S + 1)
    assert secrets.actor_of_session(accounts, session) is None
    assert secrets.sessions_of(accounts, ann.id) == []


def test_the_number_of_sessions_is_bounded(accounts):
    ann = first(accounts)
    for _ in range(secrets.MAX_OF_ONE + 5):
        secret = secrets.begin_session(accounts, ann.id, "::1", "browser")
    assert len(secrets.sessions_of(accounts, ann.id)) == secrets.MAX_OF_ONE
    assert secrets.actor_of_session(accounts, secret)


def test_no_secret_is_in_the_file(accounts, tmp_path):
    ann = first(accounts)
    session = secrets.begin_session(accounts, ann.id, "::1", "browser")
    token, _ = secrets.add_token(accounts, ann, "t", ["read"], None)
    link = secrets.add_link(accounts, ann)
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(secret.encode() in written for secret in (session, token, link))


def test_a_file_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE t (x)")
    with pytest.raises(LibraryError, match="another program"):
        open_database(path)
    (tmp_path / "text.db").write_text("no database at all " * 100)
    with pytest.raises(LibraryError, match="not a database"):
        open_database(tmp_path / "text.db")


def test_a_newer_file_is_left_alone(tmp_path):
    path = tmp_path / "accounts.db"
    with closing(open_database(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LibraryError, match="newer release"):
        open_database(path)
