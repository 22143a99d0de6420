"""What a layout must be: readable by others, complete, of targets that a finger hits."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import py2tosc
import pytest
from ready_layouts import made
from ready_layouts import opened as app
from touchosc_app import App, Node

from sfa_engine.desk import CONTROLS, DECK_NAMES, DESK, Button, Choice, Desk, Each, Fader
from sfa_engine.desk.control import COLORS
from sfa_engine.desk.deck import Deck
from sfa_engine.desk.effects import Unit
from sfa_engine.desk.scale import percent
from sfa_engine.errors import Refused
from sfa_engine.surfaces.touchosc import PAGES, TABLETS, layout
from sfa_engine.surfaces.touchosc.document import Node as Made
from sfa_engine.surfaces.touchosc.flow import keys_that_fit
from sfa_engine.surfaces.touchosc.layout import canvas
from sfa_engine.surfaces.touchosc.look import MIN_PLAYED, MIN_TAPPED, text_width
from sfa_engine.surfaces.touchosc.more import is_played

ROOT = Path(__file__).parents[2]
EVERY = list(itertools.product(TABLETS, (3, 6)))
MIN_STRIP = 40  # of a fader; its strip, with the meter beside it, is wider
# Verbs of the OSC surface itself.
VERBS = {"/sfa/subscribe", "/sfa/ping", *(f"/{deck}/load_row" for deck in DECK_NAMES)}
PLAYED = re.compile(r"deck\d\.(play|cue)|.*\.(press|hit|mute|solo|volume|fader|kill)|crossfader")


def addresses(layout: App) -> set[str]:
    scripts = "".join(node.properties.get("script", "") for node in layout.nodes)
    bound = {message.address for node in layout.nodes for message in node.messages}
    return bound | set(re.findall(r"'(/[a-z0-9_/]+)'", scripts))


def tree(node: Made) -> Iterator[Made]:
    yield node
    for child in node.children:
        yield from tree(child)


def made_addresses(root: Made) -> set[str]:
    """Return the addresses of a layout before it is written, which is ten times faster."""
    return {message.address for node in tree(root) for message in node.messages}


ALERTS = {control.path for control in DESK.controls() if control.color == "alert"}


def control_of(address: str) -> str:
    return address.removeprefix("/n").strip("/").replace("/", ".")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tablet", "version"), [("phone", 6), pytest.param("ipad", 3, marks=pytest.mark.nightly)]
)
def test_py2tosc_reads_a_layout_and_finds_no_fault(
    tablet: str, version: int, tmp_path: Path
) -> None:
    file = tmp_path / "layout.tosc"
    file.write_bytes(made(tablet, version))
    document = py2tosc.load(file)
    assert document.validate() == []
    assert len(list(document.root.walk())) == len(app(tablet, version).nodes)


@pytest.mark.slow
def test_py2tosc_writes_a_layout_as_we_do(tmp_path: Path) -> None:
    for version in (3, 6):
        file, again = tmp_path / "layout.tosc", tmp_path / "again.tosc"
        file.write_bytes(layout(pages=["mixer", "pads"], version=version))
        py2tosc.load(file).save(again)
        assert xml(again.read_bytes()) == xml(file.read_bytes())


@pytest.mark.parametrize(("tablet", "version"), EVERY)
def test_a_version_has_its_elements_and_no_other(tablet: str, version: int) -> None:
    read = app(tablet, version)
    assert read.version == version
    widths = {len(message.connections) for node in read.nodes for message in node.messages}
    assert widths == {5 if version == 3 else 10}
    text = xml(made(tablet, version))
    for element in ("<noDuplicates>", "<includes>", "gridColor"):
        assert (element in text) is (version == 6)


def xml(file: bytes) -> str:
    return zlib.decompress(file).decode()


def test_the_same_desk_gives_the_same_bytes() -> None:
    assert made() == layout(desk=Desk())


def test_ready_files_are_what_the_generator_makes(accept_golden: bool) -> None:
    for tablet in TABLETS:
        ready = ROOT / f"layouts/{tablet}.tosc"
        if accept_golden:
            ready.write_bytes(made(tablet))
        assert ready.read_bytes() == made(tablet), "pytest --accept-golden"


@pytest.mark.parametrize("tablet", TABLETS)
def test_every_address_is_one_of_the_desk(tablet: str) -> None:
    known = {control.path for control in DESK.controls() if not control.planned}
    unknown = {a for a in addresses(app(tablet)) - VERBS if control_of(a) not in known}
    assert not unknown


@pytest.mark.parametrize("tablet", TABLETS)
def test_every_control_that_a_hand_can_use_is_in_the_layout(tablet: str) -> None:
    sent = {
        control_of(message.address)
        for node in app(tablet).nodes
        for message in node.messages
        if message.sends
    }
    missing = {c.path for c in DESK.controls() if is_played(c)} - sent
    assert not missing


@pytest.mark.slow
@pytest.mark.parametrize("tablet", TABLETS)
def test_the_whole_desk_has_a_sound_layout(tablet: str) -> None:
    whole = App(layout(DESK, tablet))
    assert not list(overlaps(whole))
    assert not list(too_small(whole))


def touched(read: App) -> Iterator[Node]:
    return (n for n in read.nodes if n.kind in {"BUTTON", "FADER", "RADIAL"} and n.interactive)


def overlaps(read: App) -> Iterator[str]:
    for parent in read.nodes:
        if parent.kind == "PAGER":
            continue
        inside = [(*node.frame, node.name) for node in parent.nodes if node.interactive]
        for one, other in itertools.combinations(inside, 2):
            (ax, ay, aw, ah, name), (bx, by, bw, bh, below) = one, other
            if ax < bx + bw and bx < ax + aw and ay < by + bh and by < ay + ah:
                yield f"{parent.name}: {name} over {below}"


def too_small(read: App) -> Iterator[str]:
    for node in touched(read):
        _, _, w, h = node.frame
        name = next((control_of(message.address) for message in node.messages), "")
        least = MIN_PLAYED if PLAYED.fullmatch(name) and node.kind == "BUTTON" else MIN_TAPPED
        if node.kind == "FADER":
            # Its meter, beside it, is part of the strip.
            if min(w, h) < MIN_TAPPED - 12 or max(w, h) < 2 * MIN_PLAYED:
                yield f"{node.name}: fader of {w:g} x {h:g}"
        elif min(w, h) < least and not (
            name.endswith((".kill", ".mute", ".solo")) and min(w, h) >= MIN_TAPPED - 4
        ):
            yield f"{node.name}: {w:g} x {h:g}"


@pytest.mark.parametrize("tablet", TABLETS)
def test_nothing_that_is_touched_lies_over_another(tablet: str) -> None:
    assert not list(overlaps(app(tablet)))


@pytest.mark.parametrize("tablet", TABLETS)
def test_targets_are_as_large_as_a_finger(tablet: str) -> None:
    assert not list(too_small(app(tablet)))


@pytest.mark.parametrize("tablet", TABLETS)
def test_everything_lies_within_its_page(tablet: str) -> None:
    for parent in app(tablet).nodes:
        _, _, width, height = parent.frame
        for node in parent.nodes:
            x, y, w, h = node.frame
            assert x >= 0, node.name
            assert y >= 0, node.name
            assert w > 0, node.name
            assert h > 0, node.name
            assert x + w <= width, f"{parent.name}: {node.name}"
            assert y + h <= height, f"{parent.name}: {node.name}"


@pytest.mark.parametrize("tablet", TABLETS)
def test_texts_have_room(tablet: str) -> None:
    for node in app(tablet).nodes:
        if node.kind == "LABEL" and node.values.text.strip():
            assert text_width(node.values.text, node.textSize) <= node.frame[2], node.values.text
            assert node.textSize >= 11
            assert node.frame[3] >= node.textSize


@pytest.mark.parametrize("tablet", TABLETS)
def test_no_text_is_a_name_of_the_program(tablet: str) -> None:
    texts = {n.values.text for n in app(tablet).nodes if n.kind == "LABEL"}
    assert not {text for text in texts if "_" in text or text.startswith(("Fx", "Cdj"))}
    assert {"deck 1", "Stem fader vocals"} <= texts


def test_of_a_control_all_keys_have_room_or_none() -> None:
    deck = DESK.deck[1]
    assert len(keys_that_fit([deck.loop.halve, deck.loop.move], 2)) == 1
    assert len(keys_that_fit([deck.loop.move, deck.loop.halve], 2)) == 2


@pytest.mark.parametrize("tablet", TABLETS)
def test_names_of_tabs_have_room(tablet: str) -> None:
    for pager in app(tablet).nodes:
        if pager.kind == "PAGER":
            width = pager.frame[2] / len(pager.nodes)
            for page in pager.nodes:
                assert text_width(page.tabLabel, pager.textSizeOff) <= width, page.tabLabel


@pytest.mark.parametrize("tablet", TABLETS)
def test_what_a_hot_cue_has_is_on_one_page(tablet: str) -> None:
    pages: dict[str, set[str]] = {}
    for number, page in enumerate(n for n in app(tablet).nodes if n.kind == "GROUP"):
        for message in (message for node in page.nodes for message in node.messages):
            cue, _, name = control_of(message.address).rpartition(".")
            if message.sends and "hotcue" in cue and name in {"kind", "store", "clear"}:
                pages.setdefault(cue, set()).add(str(number))
    assert len(pages) == sum(len(deck.hotcue) for deck in DESK.deck.values())
    assert {len(found) for found in pages.values()} == {1}


@pytest.mark.parametrize("tablet", TABLETS)
def test_what_shows_takes_no_touches_and_what_is_touched_sends(tablet: str) -> None:
    for node in app(tablet).nodes:
        if node.kind in {"LABEL", "BOX", "GROUP"}:
            assert not node.interactive, node.name
        elif node.kind != "PAGER" and node.interactive:
            sends = any(message.sends for message in node.messages)
            assert sends or "sendOSC" in node.properties.get("script", ""), node.name


@pytest.mark.parametrize("tablet", TABLETS)
def test_a_saturated_hue_is_a_stems_or_an_alert(tablet: str) -> None:
    for node in touched(app(tablet)):
        parts = [node.color.r, node.color.g, node.color.b]
        if max(parts) - min(parts) > 0.2:
            text = "".join(m.address for m in node.messages)
            is_alert = node.name in ALERTS
            assert is_alert or any(f"/stem/{stem}/" in text for stem in COLORS), node.name


def test_a_fader_rests_where_the_desk_says() -> None:
    for node in touched(app()):
        for message in node.messages:
            control = CONTROLS.get(control_of(message.address))
            if isinstance(control, Fader) and message.address.startswith("/n/"):
                rest = control.scale.travel(control.scale.rest)
                assert node.values.x == pytest.approx(rest, abs=1e-6)


SIX = ("internal", "deck1", "deck2", "leader", "midi", "link")


class OtherDeck(Deck):
    """A deck with what may be built."""

    load_selected = Button("Loads the track that is selected.", label="LOAD", group="browse")
    effect_hold = Button("Freezes the echo.", label="HOLD", group="effects", held=True)
    width = Fader("How wide the deck is.", percent(0, 200, 100), group="mixer")
    colour = Choice("Of the lights.", options=tuple("abcdefghij"), group="session")
    source = Choice("Who leads.", options=SIX, group="clock")


def other_desk() -> Desk:
    desk = Desk()
    desk.deck = Each((1, 2), OtherDeck, "deck")
    return desk


@pytest.mark.parametrize("tablet", TABLETS)
def test_a_control_that_nobody_has_planned_appears_by_itself(tablet: str) -> None:
    found = {control_of(address) for address in made_addresses(canvas(other_desk(), tablet))}
    for name in ("load_selected", "effect_hold", "width", "colour", "source"):
        assert {f"deck1.{name}", f"deck2.{name}"} <= found


@pytest.mark.slow
@pytest.mark.parametrize("tablet", TABLETS)
def test_six_options_have_room_for_finger_and_text(tablet: str) -> None:
    whole = App(layout(other_desk(), tablet, ["more"]))
    assert not list(too_small(whole))
    assert not list(overlaps(whole))
    options = [node for node in whole.nodes if "deck1.source option" in node.name]
    assert len(options) == 6
    for node in options:
        assert text_width(node.values.text, node.textSize) <= node.frame[2]


def test_pages_come_in_the_order_asked_for() -> None:
    chosen = App(layout(pages=["library", "mixer", "library"]))
    assert [page.tabLabel for page in chosen.root.nodes[0].nodes] == ["Library", "Mixer"]


def test_an_unknown_page_is_refused_with_the_nearest() -> None:
    with pytest.raises(Refused, match='unknown page "mixxer"') as error:
        layout(pages=["mixxer"])
    assert "mixer" in (error.value.hint or "")
    with pytest.raises(Refused, match="unknown tablet"):
        layout(tablet="watch")


def test_each_page_may_stand_alone() -> None:
    for page in PAGES:
        for tablet in TABLETS:
            assert canvas(tablet=tablet, pages=[page]).children[0].children


def test_a_layout_without_a_page_is_refused() -> None:
    desk = Desk()
    desk.fx = Each((), Unit, "fx")
    with pytest.raises(Refused, match="no page"):
        layout(desk, pages=["effects"])
