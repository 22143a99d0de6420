"""The error of a body names the field, what is expected, and no value."""

import pytest

from sfa_engine.web import many_users, people, preferences, sign_in, upstream
from sfa_engine.web.invalid import invalid

PASSWORD = "mine alone"  # noqa: S105 - of nothing


@pytest.mark.parametrize(
    ("given", "kind", "sentence"),
    [
        (None, sign_in.Login, "the body is not an object; send parameters by their names"),
        ({"name": "a"}, sign_in.Login, "the body needs password; "),
        (
            {"name": 1, "password": PASSWORD},
            sign_in.Login,
            "name is not valid; give a text of at most",
        ),
        (
            {"secret": "x" * 43, "password": PASSWORD[:4]},
            sign_in.Link,
            "password is not valid; give a text of 8 to 256 characters",
        ),
        (
            {"name": "a", "scopes": ["read"], "days": 0},
            sign_in.NewToken,
            "days is not valid; give a whole number from 1 to 3650 or nothing",
        ),
        ({"track": True}, upstream.Track, "track is not valid; give a whole number from 1"),
        (
            {"track": 1, "trck": 2},
            upstream.Separate,
            'the body takes no "trck"; did you mean "track"?',
        ),
        (
            {"name": "a", "role": "emperor"},
            people.NewRole,
            "role is not valid; give one of admin, moderator, super_admin, user",
        ),
        (
            {"names": ["a"], "status": "x"},
            many_users.Statuses,
            "status is not valid; give one of active, suspended",
        ),
        (
            {"keys": {"lalalai": 3}},
            preferences.Changes,
            "keys.lalalai is not valid; give a text of at most",
        ),
        ({"keys": {"spotify": "x"}}, preferences.Changes, 'keys takes no "spotify"; it takes'),
        ({"keys": 3}, preferences.Changes, "keys is not valid; give an object"),
        ({"debug": None}, preferences.Changes, "debug is not valid; give true or false"),
    ],
)
def test_an_invalid_body_is_one_sentence_with_a_remedy(given, kind, sentence):
    found = invalid(given, kind)
    assert found.status == 422
    assert f"{found.detail}; {found.hint}".startswith(sentence)
    assert PASSWORD[:4] not in f"{found.detail}; {found.hint}"
