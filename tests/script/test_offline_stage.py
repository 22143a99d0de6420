"""Controls of the stage in a render, and played: key match, tempo, memory cues, grid, hot cues."""

import numpy as np
import pytest
from msgspec.structs import replace
from test_player import RATE, Engine

from sfa_engine.errors import Refused
from sfa_engine.library.bundle import rewrite_manifest, write_bundle_arrays
from sfa_engine.script import player
from sfa_engine.script.offline_stage import OfflineStage
from sfa_engine.script.render import perform
from sfa_engine.script.script import parse_script
from sfa_engine.track.media import Cue, read_bundle

SECONDS = 20
CUES = (
    Cue(2 * RATE, "", "intro"),
    Cue(8 * RATE, "The drop", "drop", hot_cue=1),
    Cue(4 * RATE, "", "cue"),
    Cue(12 * RATE, "", "loop", end_frames=14 * RATE),
    Cue(16 * RATE, "", "loop", end_frames=17 * RATE, hot_cue=2),
)


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    """Two tracks in clashing keys, of 120 and 125 BPM; a click on each beat of the first."""
    folder = tmp_path_factory.mktemp("stage")
    sound = np.zeros((SECONDS * RATE, 2), np.float32)
    sound[:: RATE // 2] = 0.5
    made = []
    for name, bpm, key in (("one", 120.0, "A minor"), ("two", 125.0, "F minor")):
        path = write_bundle_arrays(
            folder / f"{name}.sfa", {"mix": sound}, title=name, artist="", bpm=bpm, key=key,
            cues=CUES,
        )  # fmt: skip
        made.append(path)
    return made


def watched(script, *paths):
    """Render a script; return the values of controls at its end."""
    seen = {}

    def watch(_time_s, stage):
        seen.update({path: stage.get(path) for path in paths})

    for _ in perform(parse_script(script), RATE, watch=watch):
        pass
    return [seen[path] for path in paths]


def loads(tracks):
    return "".join(f'0 load {n} "{path}"\n' for n, path in enumerate(tracks, 1))


def test_the_tempo_is_set_in_bpm_and_by_the_fader(tracks):
    lines = "0 set deck1.bpm 126\n0 set deck2.rate_range 10%\n0.1 set deck2.tempo_fader 50\n0.5 end"
    rates = watched(loads(tracks) + lines, "deck1.rate", "deck2.rate")
    assert rates == [pytest.approx(1.05), pytest.approx(1.05)]


def test_a_ramp_of_the_tempo_ends_where_it_says(tracks):
    lines = "0 set deck1.play on\n0 ramp deck1.bpm 120 128 over 1\n1.5 end"
    rate, heard = watched(loads(tracks) + lines, "deck1.rate", "deck1.tempo")
    assert rate == pytest.approx(128 / 120)
    assert heard == pytest.approx(128.0)


def test_a_key_is_matched_in_a_render(tracks):
    pitch, heard = watched(
        loads(tracks) + "0.2 press deck2.key_match\n0.5 end", "deck2.pitch", "deck2.audible_key"
    )
    assert (pitch, heard) == (-1.0, "E minor")


def test_a_deck_gets_the_cues_of_its_bundle(tracks):
    paths = [
        f"deck1.{name}" for name in ("hotcue1.position", "cue_point", "loop.start", "loop.end")
    ]
    assert watched(loads(tracks) + "0.2 end", *paths) == [8.0, 2.0, 12.0, 14.0]
    kind, label, active = watched(
        loads(tracks) + "0.2 end", "deck1.hotcue2.kind", "deck1.hotcue1.label", "deck1.loop.active"
    )
    assert (kind, label, active) == (1.0, "The drop", 0.0)


def test_the_saved_loop_is_on_when_asked_for(tracks):
    script = "0 set deck1.loop.on_load on\n" + f'0.1 load 1 "{tracks[0]}"\n0.3 end'
    assert watched(script, "deck1.loop.active", "deck1.loop.start") == [1.0, 12.0]


def test_a_hot_cue_that_was_stored_is_there_when_the_track_is_loaded_again(tracks):
    script = (
        f'0 load 1 "{tracks[0]}"\n0 set deck1.position 5\n0.1 press deck1.hotcue9.store\n'
        f'0.2 set deck1.hotcue9.on_load on\n1 load 1 "{tracks[1]}"\n2 load 2 "{tracks[0]}"\n2.5 end'
    )
    place, gone, stands = watched(
        script, "deck2.hotcue9.position", "deck1.hotcue9.position", "deck2.position"
    )
    assert (place, stands) == (5.0, 5.0)
    assert gone != 5.0


def test_memory_cues_are_stored_visited_and_deleted(tracks):
    lines = "0 set deck1.position 6\n0.2 press deck1.memory.store\n0.3 set deck1.position 9\n"
    (back,) = watched(
        loads(tracks) + lines + "0.5 press deck1.memory.previous\n1 end", "deck1.position"
    )
    assert back == 6.0
    (gone,) = watched(
        loads(tracks) + lines + "0.5 press deck1.memory.previous\n0.6 press deck1.memory.delete\n"
        "0.7 press deck1.memory.previous\n1 end",
        "deck1.position",
    )
    assert gone == 4.0  # that of the bundle


def test_the_grid_is_edited_and_the_edit_undone(tracks):
    lines = "0 set deck1.position 5\n0 set deck1.quantise on\n0.2 press deck1.grid.shift 0.5\n"
    half, tempo = watched(
        loads(tracks) + lines + "0.4 press deck1.hotcue9.store\n0.5 press deck1.grid.double\n1 end",
        "deck1.hotcue9.position", "deck1.bpm",
    )  # fmt: skip
    assert half in {4.75, 5.25}
    assert tempo == 240.0
    whole, tempo = watched(
        loads(tracks) + lines + "0.3 press deck1.grid.undo\n0.4 press deck1.hotcue9.store\n1 end",
        "deck1.hotcue9.position", "deck1.bpm",
    )  # fmt: skip
    assert (whole, tempo) == (5.0, 120.0)


def test_a_tempo_is_tapped_along(tracks):
    taps = "".join(f"{1 + 0.4 * k:.3f} press deck1.grid.tap\n" for k in range(8))
    (tempo,) = watched(loads(tracks) + "0.5 set deck1.play on\n" + taps + "4.5 end", "deck1.bpm")
    assert tempo == pytest.approx(150.0, abs=0.2)


def test_an_ejected_deck_has_no_title(tracks):
    script = loads(tracks) + "1 eject 1\n1.5 end"
    assert watched(script, "deck1.title", "deck2.title") == ["", "two"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "press deck1.load_selected",
            "at 0.5 s deck1.load_selected: not in a render",
        ),
        ("press deck1.memory.next", "at 0.5 s there is no track on deck 1"),
        ("press deck1.grid.nudge 3", "at 0.5 s there is no track on deck 1"),
        ("press deck1.grid.undo", "at 0.5 s no correction of the grid on deck 1"),
        ("press deck1.key_match", "at 0.5 s deck1.key_match: deck 1 has no track whose key"),
        ("set deck1.bpm 124", "at 0.5 s deck1.bpm: the track has no beat grid"),
        ("press deck1.key_match at bar", "at 0.5 s deck1.key_match acts at once"),
    ],
)
def test_what_the_stage_refuses_names_its_time(line, said):
    with pytest.raises(Refused) as refusal:
        list(perform(parse_script(f"0.5 {line}\n1 end")))
    assert str(refusal.value).startswith(said)


def test_a_track_without_a_grid_has_none_to_correct(tmp_path):
    plain = write_bundle_arrays(
        tmp_path / "plain.sfa", {"mix": np.zeros((RATE, 2), np.float32)},
        title="plain", artist="", bpm=None,
    )  # fmt: skip
    with pytest.raises(Refused, match=r"at 0.2 s the track on deck 1 has no beat grid"):
        list(perform(parse_script(f'0 load 1 "{plain}"\n0.2 press deck1.grid.nudge 3\n1 end')))


class StageEngine(Engine):
    """An engine with the whole stage, called as its socket is."""

    def __init__(self):
        super().__init__()
        self.stage = OfflineStage(self.kernel)
        self.conductor = self.stage.conductor

    def call(self, method, **params):
        if method == "status":
            return super().call(method)
        if method == "deck.load":
            set_up = self.stage.load(params["deck"], params["path"])
            self.sound.append(self.kernel.render(32))
            set_up()
            return {}
        self.stage.do(method, params["path"], params["value"], params["when"])
        return {}


MIX = """
0   set  deck1.quantise on
0   set  deck1.play on
1   press deck1.hotcue1.press
1.5 press deck2.key_match
2   set  deck2.bpm 130
3   press deck1.memory.previous
3.5 press deck1.grid.nudge 2
4   set  session.lock off
4   set  deck1.hotcue1.label "Here"
5   end
"""


def test_controls_of_the_stage_are_played_at_their_time(tracks, monkeypatch):
    engine = StageEngine()
    monkeypatch.setattr(player.time, "sleep", engine.sleep)
    player.play_script(engine, parse_script(loads(tracks) + MIX))
    get = engine.conductor.get
    assert get("deck2.pitch") == -1.0
    assert get("deck2.rate") == pytest.approx(130 / 125)
    assert get("deck1.hotcue1.label") == "Here"
    assert get("session.lock") == 0.0
    # At 3 s to the memory cue at 4 s of the track, give or take the beat that quantise keeps.
    began = engine.kernel.memory.engine["emitted"] / RATE - 5.0
    assert get("deck1.position") - began == pytest.approx(6.0, abs=0.5)


def test_a_title_of_a_manifest_is_shown(tmp_path):
    sound = {"mix": np.zeros((RATE, 2), np.float32)}
    path = write_bundle_arrays(tmp_path / "x.sfa", sound, title="x", artist="", bpm=None)
    rewrite_manifest(path, replace(read_bundle(path).track, title="Renamed"))
    assert watched(f'0 load 1 "{path}"\n0.3 end', "deck1.title") == ["Renamed"]
