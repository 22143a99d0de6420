"""Links as people copy them, links that are none, and anything at all."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa_engine.backstage.services.spotify_link import KINDS, SpotifyLink, is_spotify, parse_link
from sfa_engine.errors import Refused

BASE_62 = string.digits + string.ascii_letters
ID = "4uLU6hMCjMI75M1A2tKUQC"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "form",
    [
        "https://open.spotify.com/{}/" + ID,
        "http://open.spotify.com/{}/" + ID,
        "HTTPS://OPEN.SPOTIFY.COM/{}/" + ID,
        "https://open.spotify.com/{}/" + ID + "?si=0123456789abcdef",
        "https://open.spotify.com/{}/" + ID + "/?si=1&utm_source=copy-link#top",
        "https://open.spotify.com/intl-de/{}/" + ID,
        "https://open.spotify.com/intl-pt-br/{}/" + ID,
        "https://open.spotify.com/embed/{}/" + ID,
        "https://play.spotify.com/{}/" + ID,
        "https://open.spotify.com:443/{}/" + ID,
        "spotify:{}:" + ID,
        "Spotify:{}:" + ID,
    ],
)
def test_links_are_read_in_every_form_that_people_copy(kind, form):
    assert parse_link(form.format(kind)) == SpotifyLink(kind, ID)


@pytest.mark.parametrize(
    "word",
    [
        f"https://open.spotify.com/user/someone/playlist/{ID}",
        f"spotify:user:someone:playlist:{ID}",
    ],
)
def test_links_to_playlists_of_the_old_form_are_read(word):
    assert parse_link(word) == SpotifyLink("playlist", ID)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (f"https://open.spotify.com/artist/{ID}", "but 'artist'"),
        (f"https://open.spotify.com/episode/{ID}", "but 'episode'"),
        (f"spotify:show:{ID}", "but 'show'"),
        ("https://open.spotify.com/", "but 'nothing'"),
        ("https://open.spotify.com/track/", "but 'track'"),
        ("https://open.spotify.com/track/123", "invalid id '123'"),
        ("https://open.spotify.com/track/" + "ü" * 22, "invalid id"),
        (f"spotify:track:{ID}\n", "invalid id"),
        ("https://spotify.link/abcdef", "short link; open it in a browser"),
        ("https://example.com/track/" + ID, "not a Spotify link"),
        ("https://open.spotify.com.evil.example/track/" + ID, "not a Spotify link"),
        ("https://open.spotify.com@evil.example/track/" + ID, "not a Spotify link"),
        ("ftp://open.spotify.com/track/" + ID, "not a Spotify link"),
        ("http://[::1", "not a Spotify link"),
        ("spotify:" + "x" * 5000, "not a Spotify link"),
    ],
)
def test_what_is_no_link_to_music_is_refused_with_the_reason(word, said):
    with pytest.raises(Refused) as refused:
        parse_link(word)
    assert said in str(refused.value)
    assert refused.value.hint
    assert len(str(refused.value)) < 400


@given(st.sampled_from(KINDS), st.text(BASE_62, min_size=22, max_size=22))
def test_a_link_that_is_printed_reads_as_itself(kind, identity):
    link = SpotifyLink(kind, identity)
    assert parse_link(str(link)) == link
    assert parse_link(f"spotify:{kind}:{identity}") == link


WORDS = f"https:// open.spotify.com / : spotify: track intl-de {ID} ?si= user [ ] @ % %2F %zz .."
PIECES = st.sampled_from([*WORDS.split(), "#", "\0", "\n", " ", "\ud800"])


@given(st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join)))
def test_anything_is_a_link_or_refused(word):
    try:
        link = parse_link(word)
    except Refused:
        return
    assert is_spotify(word)
    assert parse_link(link.url) == link
