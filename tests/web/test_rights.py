"""Who may do what, as a table."""

import itertools

import pytest

from sfa_engine.web.rights import (
    MACHINE,
    ROLES,
    SCOPES_OF,
    STORED,
    Actor,
    Right,
    may,
    may_assign,
)

ME, OTHER = 7, 8
READ = Right("read", is_owned=True)
EDIT = Right("library", is_owned=True)
ADD = Right("prepare", is_owned=True, is_new=True)
PLAY = Right("perform")
SERVE = Right("admin")
FILES = Right("perform", least="admin")

#                     user    moderator admin super_admin
TABLE = {
    (READ, ME): (True, True, True, True),
    (READ, OTHER): (False, True, True, True),
    (READ, MACHINE): (True, True, True, True),
    (EDIT, ME): (True, True, True, True),
    (EDIT, OTHER): (False, False, True, True),
    (EDIT, MACHINE): (False, False, True, True),
    (ADD, MACHINE): (True, True, True, True),
    (PLAY, MACHINE): (False, True, True, True),
    (SERVE, MACHINE): (False, False, True, True),
    (FILES, MACHINE): (False, False, True, True),
}


def actor(role, scopes=None):
    return Actor(ME, role, SCOPES_OF[role] if scopes is None else frozenset(scopes))


@pytest.mark.parametrize(("verb", "owner"), TABLE)
def test_a_role_has_these_rights(verb, owner):
    assert tuple(may(actor(role), verb, owner) for role in STORED) == TABLE[verb, owner]
    assert may(actor("system"), verb, owner)


@pytest.mark.parametrize("role", ROLES)
def test_a_token_without_the_scope_has_no_right(role):
    for verb in (READ, EDIT, ADD, PLAY, SERVE):
        others = SCOPES_OF[role] - {verb.scope}
        assert not may(actor(role, others), verb, ME)


def test_a_higher_role_has_every_scope_of_a_lower_one():
    for low, high in itertools.pairwise(ROLES):
        assert SCOPES_OF[low] <= SCOPES_OF[high]


@pytest.mark.parametrize(("before", "after"), [*itertools.product(STORED, STORED)])
def test_an_admin_assigns_roles_below_admin_and_a_super_admin_all(before, after):
    below = {"user", "moderator"}
    assert may_assign(actor("admin"), before, after) == ({before, after} <= below)
    assert may_assign(actor("super_admin"), before, after)
    assert may_assign(actor("system"), before, after)
    for role in below:
        assert not may_assign(actor(role), before, after)


def test_the_system_is_no_role_of_an_account():
    assert not may_assign(actor("system"), "user", "system")
