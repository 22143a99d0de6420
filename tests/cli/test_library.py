"""`sfa library` as a person meets it, beside a real backstage with one track."""

import json

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["orbital"], "1 track"),
        (["-orbital"], "0 tracks"),
        (["-house", "-eso"], "1 track"),
        (["-artist:orbital", "--limit", "3"], "0 tracks"),
        (["--limit=3", "halcyon"], "1 track"),
    ],
)
def test_a_dash_before_a_word_means_not(ask, words, count):
    status, out, err = ask("library", "search", *words)
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == count


def test_a_sentence_says_what_it_looks_for_and_why(ask):
    status, out, err = ask("library", "search", "around 119")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[0] == "looking for: 116.02-121.97 BPM, or half or double"
    assert "Orbital - Halcyon" in lines[2]
    assert lines[3].strip() == "120.0 BPM"
    assert lines[-1] == "1 track"
    said = json.loads(ask("library", "search", "around", "119", "banger", "--json")[1])
    assert said["tracks"][0]["reasons"] == ["120.0 BPM"]
    assert said["notes"] == ['"banger" was not understood, and is in no name: left out']


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["search", "dark and bright"], "bright and dark exclude each other; keep one of them"),
        (["search", "the and of"], '"the and of" asks for nothing; add a genre, a tempo'),
        (["search", "goes with 99"], "no track 99; search for its title"),
        (["search", "x" * 2000], "the search is 2000 characters long; give up to 1000"),
        (["search", "around 120", "goes with this"], '"this" names no track here'),
        (["similar", "#1"], '"Orbital - Halcyon" is not analysed; prepare it'),
        (["compatible", "99"], "no track"),
    ],
)
def test_what_cannot_be_searched_for_is_one_line(ask, words, said):
    status, out, err = ask("library", *words)
    assert (status, out) == (1, "")
    assert err.startswith(f"sfa: {said}")
    assert len(err.splitlines()) == 1


def test_a_misspelt_option_of_a_search_is_no_word(ask):
    status, _, err = ask("library", "search", "orbital", "--jsn")
    assert (status, err) == (2, 'sfa: no option "--jsn"; did you mean "--json"?\n')
    assert json.loads(ask("library", "search", "-eso", "--json")[1])["count"] == 1
    assert ask("library", "search", "-h")[1].startswith("Usage:")


def test_a_playlist_that_is_not_there_is_an_error_with_what_was_meant(ask):
    assert ask("library", "playlist", "list") == (
        0, "", "no playlists; `sfa library playlist add NAME` makes one\n",
    )  # fmt: skip
    assert json.loads(ask("library", "playlist", "list", "--json")[1]) == {"playlists": []}
    assert ask("library", "playlist", "add", "Friday night", "#1")[1].startswith("1 track added")
    assert ask("library", "playlist", "list")[1] == "Friday night  (1 track)\n"
    assert json.loads(ask("library", "playlist", "list", "--json")[1])["playlists"][0]["tracks"]
    status, _, err = ask("library", "search", 'playlist:"Friday nigth"')
    assert (status, err) == (
        1, 'sfa: no playlist "Friday nigth"; did you mean "Friday night"?\n',
    )  # fmt: skip
    assert ask("library", "playlist", "drop", "Friday night", "--yes")[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ["cue", "#1", "5000"],
        ["cue", "#1", "83:20"],
        ["cue", "#1", "0:10", "--end", "0:21"],
        ["grid", "#1", "--downbeat", "5000"],
    ],
)
def test_a_place_behind_the_end_is_refused_with_the_length(ask, words):
    status, out, err = ask("library", *words)
    assert (status, out) == (1, "")
    assert 'is after the end of "Orbital - Halcyon", 0:20.000' in err


def test_a_place_is_typed_as_it_is_shown(ask):
    status, out, err = ask("library", "cue", "#1", "0:01.5", "--end", "3.5")
    assert status == 0, err
    assert out.endswith(" at 0:01.5 to 0:03.5\n")
    number = out.split()[1]
    shown = ask("library", "show", "#1")[1]
    assert f"  0:01.5 to 0:03.5  cue {number}: loop, by hand\n" in shown
    assert ask("library", "delete-cue", number, "--yes")[0] == 0
    assert "invalid time" in ask("library", "cue", "#1", "soon")[2]


def test_a_track_is_shown_without_saying_things_twice(ask):
    shown = ask("library", "show", "#1")[1]
    for line in (
        "stem mix: sketch\n", "[1]: intro, first downbeat\n", ": intro end\n", ": build 1\n",
        ": loop of bass, 1 bars\n",
    ):  # fmt: skip
        assert line in shown


def test_a_correction_of_a_grid_is_answered_with_tempo_and_first_downbeat(ask):
    assert ask("library", "grid", "#1", "--downbeat", "0:00.5")[1] == (
        "120.000 BPM, first downbeat at 0:00.500\n"
    )
    assert ask("library", "grid", "#1", "--halve")[1] == "60.000 BPM, first downbeat at 0:00.500\n"
    assert ask("library", "grid", "#1", "--automatic", "--yes")[1] == (
        "120.000 BPM, first downbeat at 0:00.250\n"
    )


def test_corrections_that_contradict_each_other_are_refused(ask):
    one = "give one of --take, --shift, --downbeat, --bpm, --halve, --double, --automatic"
    assert ask("library", "grid", "#1", "--halve", "--double")[2] == (
        f"sfa: --halve and --double do not go together; {one}\n"
    )
    assert ask("library", "grid", "#1", "--downbeat", "0")[1].endswith("at 0:00.000\n")
    assert ask("library", "grid", "#1", "--automatic", "--yes")[0] == 0


@pytest.mark.parametrize(
    ("words", "said", "shape"),
    [
        (["library", "folders"], "no folders are watched", {"folders": []}),
        (["library", "trash"], "no removed tracks", {"count": 0, "tracks": []}),
        (["secret", "list"], "no secrets", []),
    ],
)
def test_an_empty_list_is_said_to_be_empty(ask, words, said, shape):
    status, out, err = ask(*words)
    assert (status, out) == (0, "")
    assert err.startswith(said)
    assert json.loads(ask(*words, "--json")[1]) == shape


def test_a_check_that_finds_something_names_what_repairs_it(ask, backstage):
    left = f"{backstage['XDG_DATA_HOME']}/sfa/tracks/.sfa-part-00000000-1-0-x.sfa"
    with open(left, "wb"):  # noqa: PTH123 - a killed writer's
        pass
    status, out, _ = ask("library", "check")
    assert status == 1
    assert out.splitlines()[-1] == ("1 found, 1 left; repair with `sfa library check --repair`")
    status, out, _ = ask("library", "check", "--repair")
    assert (status, out.splitlines()[-1]) == (0, "1 found, 0 left")
    assert ask("library", "check")[1] == "all is well\n"


def test_a_key_of_a_service_that_is_not_known_is_refused(ask):
    assert ask("secret", "set", "foo")[2] == (
        'sfa: no service "foo"; there are keys of lalalai, spotify\n'
    )
    assert ask("secret", "set", "lalalia")[2].endswith('did you mean "lalalai"?\n')


def test_devices_are_listed_for_programs(ask):
    status, out, _ = ask("devices", "--json")
    assert status == 0
    assert all({"index", "name", "system"} <= set(device) for device in json.loads(out))


def test_statistics_count_one_track_as_one(ask):
    assert ask("library", "stats")[1].startswith("1 track, 0.0 hours (1 ready)\n")
