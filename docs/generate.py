"""The generated parts of the documents: called by the cog blocks in them.

``make docs`` writes them, ``make lint`` checks them. Knows the desk, the library and every verb;
none of them knows it. Run as a program, it writes the OpenAPI document: ``generate.py FILE``.
"""

from __future__ import annotations

import ast
import configparser
import inspect
import re
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from sfa_engine import errors
from sfa_engine.backstage.services.errors import ServiceError
from sfa_engine.cli.verb_classes import STAGE, classes_of_backstage
from sfa_engine.desk import DESK, Button, Control, Desk, Each, Fader, Meter, Section
from sfa_engine.desk.chains import BUILT_IN
from sfa_engine.desk.control import COLORS, GROUPS
from sfa_engine.desk.deck import BANDS, STEMS
from sfa_engine.desk.effects import KINDS
from sfa_engine.library.migrations import migrate
from sfa_engine.library.query import OPERATORS
from sfa_engine.mix.vocabulary import FEEL_WORDS, FEELS, OPPOSITES
from sfa_engine.surfaces.midi import document
from sfa_engine.surfaces.midi.profile import Profile, load_profiles
from sfa_engine.surfaces.osc.address import TARGETS, TRAVEL_SENDERS
from sfa_engine.web import openapi
from sfa_engine.web.catalogue import INTERNAL, PUSHING, Described
from sfa_engine.web.channel import Channel
from sfa_engine.web.controls import Controls
from sfa_engine.web.documents import Documents
from sfa_engine.web.endpoint import Endpoint
from sfa_engine.web.health import Health
from sfa_engine.web.made_files import MadeFiles
from sfa_engine.web.many_users import ManyUsers
from sfa_engine.web.metrics import Metrics
from sfa_engine.web.people import People
from sfa_engine.web.preferences import Preferences
from sfa_engine.web.processes import Processes
from sfa_engine.web.sign_in import SignIn
from sfa_engine.web.spotify_login import SpotifyLogin
from sfa_engine.web.static_files import StaticFiles
from sfa_engine.web.track_files import TrackFiles
from sfa_engine.web.uploads import Uploads
from sfa_engine.web.upstream import Upstream
from sfa_engine.web.verb_endpoints import Verbs as WebVerbs
from sfa_engine.wire.verbs import Verb, verbs_of

ROOT = Path(__file__).parents[1]
_NUMBERED = re.compile(r"([a-z]+)(\d+)(?=/)")  # a part of an address: deck1
BACKSTAGE = classes_of_backstage()
HEADS = ("control", "label", "page", "kind", "range", "at rest", "what it does")


def controls() -> str:
    """Return every control in a table per section; a repeated section appears once."""
    return "\n".join(_pages(DESK, "The desk itself", 2))


def pages() -> str:
    """Return the pages of surfaces, in their order."""
    return ", ".join(f"`{group}`" for group in GROUPS)


def colors() -> str:
    """Return the palette in a table."""
    return "\n".join(_table(("color", "sRGB"), [(f"`{n}`", f"`{c}`") for n, c in COLORS.items()]))


def operators() -> str:
    """Return every search operator in a table."""
    heads = ("operator", "for example", "what it asks for")
    rows = [(f"`{name}:`", f"`{o.example}`", o.sentence) for name, o in OPERATORS.items()]
    return "\n".join(_table(heads, rows))


def feelings() -> str:
    """Return every word of feeling with what it is ranked by in a table."""
    rows = []
    for name, other in list(OPPOSITES.items())[: len(OPPOSITES) // 2]:
        by = ", ".join(
            f"{'less ' if weight < 0 else ''}{measure}"
            + (f" ({abs(weight):g})" if abs(weight) < 1 else "")
            for measure, weight in FEELS[name].items()
        )
        said = (", ".join(FEEL_WORDS[each].split(", ")[1:5]) for each in (name, other))
        rows.append((f"{name}, {other}", by, "; ".join(said)))
    return "\n".join(
        _table(("word, opposite", "ranked by (opposite: the other end)", "also"), rows)
    )


def effects() -> str:
    """Return every kind of effect with its parameters in a table."""
    heads = ("kind", "what it does", "knob A", "knob B", "knob C", "macro", "tail")
    rows = []
    for kind in KINDS[1:]:
        knobs = [
            f"{p.label}: {p.sentence[0].lower()}{p.sentence[1:-1]}; {p.range_text()}, at first "
            f"{p.text(p.rest)}"
            for p in kind.parameters
        ]
        way = "up" if kind.macro_end else "down"
        tail = "yes" if kind.tail else "no"
        rows.append((f"`{kind.name}`", kind.sentence, *knobs, f"{kind.macro} {way}", tail))
    return "\n".join(_table(heads, rows))


def chains() -> str:
    """Return the built-in chains of effects in a table."""
    heads = ("chain", "effects", "mode", "mix")
    rows = [
        (
            f"`{name}`",
            ", ".join(slot["kind"] for slot in chain["slots"] if slot["kind"] != "none"),
            chain["mode"],
            f"{chain['mix']:g} %",
        )
        for name, chain in BUILT_IN.items()
    ]
    return "\n".join(_table(heads, rows))


def packages() -> str:
    """Return every package in a table, the highest layer first: its docstring's first sentence."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts["importlinter:contract:downwards"]["layers"].replace("|", "\n").split("\n")
    rows = []
    for layer in filter(None, map(str.strip, layers)):
        folder = ROOT / "sfa_engine" / layer
        if not folder.is_dir():  # a module
            continue
        for init in sorted(folder.rglob("__init__.py")):
            docstring = ast.get_docstring(ast.parse(init.read_text())) or ""
            sentence = docstring.partition("\n\n")[0].replace("\n", " ").replace("``", "`")
            rows.append((f"`{init.parent.relative_to(ROOT / 'sfa_engine')}`", sentence))
    return "\n".join(_table(("package", "what it is"), rows))


def stage_verbs() -> str:
    """Return every verb of the stage in a table."""
    return "\n".join(_verbs(*STAGE))


def backstage_verbs() -> str:
    """Return every verb of backstage in a table."""
    return "\n".join(_verbs(*BACKSTAGE))


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document that the web process of a whole engine serves."""
    verbs = {name: one for kind in (*STAGE, *BACKSTAGE) for name, one in verbs_of(kind).items()}
    described = msgspec.convert([one.describe() for one in verbs.values()], tuple[Described, ...])
    served = tuple(each for each in described if each.name not in PUSHING | INTERNAL)
    absent: Any = None
    static = StaticFiles().endpoints()
    return openapi.document([*_web_endpoints(), *static, *WebVerbs(absent).endpoints(served)])


def web_endpoints() -> str:
    """Return the web process's own endpoints in a table."""
    rows = [
        (
            f"`{one.method} {one.path}`",
            _body(one),
            one.right.scope if one.right else "",
            one.sentence,
        )
        for one in _web_endpoints()
    ]
    return "\n".join(_table(("path", "body", "scope", "what it does"), rows))


def _web_endpoints() -> tuple[Endpoint, ...]:
    absent: Any = None  # nothing is called
    return (
        *Health(absent, absent).endpoints(),
        *Metrics(absent).endpoints(),
        *Controls(absent).endpoints(),
        *Documents(absent).endpoints(),
        *SignIn(absent, absent).endpoints(),
        *People(absent, absent).endpoints(),
        *ManyUsers(absent, absent).endpoints(),
        *Preferences(absent, absent).endpoints(),
        *Upstream(absent).endpoints(),
        *Channel((), *[absent] * 7).endpoints(),
        *SpotifyLogin(absent, absent).endpoints(),
        *TrackFiles(absent).endpoints(),
        *Uploads(absent, absent, 0).endpoints(),
        *MadeFiles().endpoints(),
        *Processes(absent).endpoints(),
    )


def _body(one: Endpoint) -> str:
    """Return what an endpoint takes as its body."""
    if one.takes:
        return "the file"
    return ", ".join(f.encode_name for f in msgspec.structs.fields(one.body)) if one.body else ""


def _verbs(*kinds: type) -> Iterator[str]:
    found = {name: verb for kind in kinds for name, verb in verbs_of(kind).items()}
    rows = [
        (f"`{name}`", ", ".join(_params(verb)), verb.declared.scope, verb.sentence)
        for name, verb in found.items()
    ]
    return _table(("method", "params", "scope", "what it does"), rows)


def _params(verb: Verb) -> Iterator[str]:
    """Yield each parameter, with the scope that it needs if that is another than the verb's."""
    for name, shown in zip(verb.types, verb.params_text(), strict=True):
        scope = verb.declared.restricted.get(name)
        yield f"`{shown}`" + (f" ({scope})" if scope else "")


def profile_keys(name: str) -> str:
    """Return the keys of a table of MIDI profiles: ``Document``, ``Entry``, ``Light``."""
    table = getattr(document, name)
    below = document.Binding.__struct_fields__ if table is document.Entry else ()
    rows = []
    for key in table.__struct_fields__:
        sentence = document.sentence(table, key)
        if sentence and key not in below:
            rows.append((f"`{key}`", document.values_of(table, key), sentence))
    return "\n".join(_table(("key", "values", "what it says"), rows))


def controllers() -> str:
    """Return every MIDI profile: what it is for, and what its controls do."""
    return "\n".join(line for p in load_profiles().values() for line in _controller(p))


def _controller(profile: Profile) -> Iterator[str]:
    whole = profile.document
    ports = f"ports matching `{whole.match.port}`" if whole.match.port else "any other port"
    certain = "" if whole.certain else " Not certain."
    yield from (f"## {profile.title}", "", f"`{profile.name}`, for {ports}.", "")
    yield from (" ".join(whole.notes.split()), "", f"Source: {whole.source}.{certain}", "")
    rows = []
    for entry in whole.control:
        sent = next(
            (n for n in document.MESSAGE_KEYS if getattr(entry, n) not in (None, False)), ""
        )
        numbers = getattr(entry, sent) if sent else ""
        listed = numbers if isinstance(numbers, list) else [numbers]
        text = " ".join(str(number) for number in listed if number is not True)
        channel = entry.channel if entry.channel is not None else whole.channel
        channels = " ".join(map(str, channel)) if isinstance(channel, list) else channel
        doubt = " ?" if entry.certain is False else ""
        does = []
        for binding in (entry, *entry.bindings):
            when = ", ".join(f"{k} {v}" for k, v in binding.when.items())
            dos = binding.do if isinstance(binding.do, list) else [binding.do]
            states = ", ".join(f"{k} = {v}" for k, v in binding.state.items())
            said = ", ".join(f"`{do}`" for do in dos if do) or (f"layer {states}" if states else "")
            if said:
                does.append(f"*{when}:* {said}" if when else said)
        rows.append((entry.name, f"{sent} {text}, channel {channels}{doubt}", "<br>".join(does)))
    yield from _table(("control", "sends", "does"), rows)
    yield ""


def codes() -> str:
    """Return every code of an error in a table."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    rows = [
        (f"`{kind.code}`", _sentence_of(kind), "yes" if issubclass(kind, errors.RETRYABLE) else "")
        for kind in [*kinds, ServiceError]
        if issubclass(kind, errors.SfaError) and kind is not errors.SfaError
    ]
    return "\n".join(_table(("code", "what it says", "may pass by itself"), rows))


def _sentence_of(kind: type) -> str:
    return (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")


def tables() -> str:
    """Return the tables of the library as a diagram, read from an empty library."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        return "\n".join(["```mermaid", "erDiagram", *_entities(connection), "```"])


def _entities(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield each table with its columns, and below that each reference."""
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table'"
        " AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'track\\_words%' ESCAPE '\\'"
    )
    references = []
    for (name,) in names.fetchall():
        yield f"    {name} {{"
        for column in connection.execute(f"PRAGMA table_info({name})"):
            yield f"        {column[2]} {column[1]}{' PK' if column[5] else ''}"
        yield "    }"
        keys = connection.execute(f"PRAGMA foreign_key_list({name})")
        references += [f"    {key[2]} ||--o{{ {name} : {key[3]}" for key in keys]
    yield from references


def osc_addresses() -> str:
    """Return every OSC address in a table; those of a repeated section in one row."""
    targets = [target for target in TARGETS.values() if not target.is_travel]
    last: dict[str, int] = {}  # number of each repeated section
    for target in targets:
        for name, number in _NUMBERED.findall(target.address):
            last[name] = max(last.get(name, 0), int(number))
    rows = []
    for target in targets:
        address = _NUMBERED.sub(lambda found: f"{found[1]}1…{last[found[1]]}", target.address)
        address = re.sub(rf"/stem/({'|'.join(STEMS)})/", "/stem/*name*/", address)
        address = re.sub(rf"/eq/({'|'.join(BANDS)})/", "/eq/*band*/", address)
        control = target.control
        travel = "yes" if target.path in TRAVEL_SENDERS else ""
        rows.append((address, control.kind, control.range_text(), travel))
    return "\n".join(_table(("address", "kind", "argument", "travel"), list(dict.fromkeys(rows))))


def _pages(section: Section, title: str, level: int) -> Iterator[str]:
    """Yield the lines of a section and of those below it."""
    yield f"{'#' * level} {title}\n"
    yield f"{_sentence(section)}\n"
    inside = [(name, getattr(section, name)) for name, _ in section.declared()]
    own = [part for _, part in inside if isinstance(part, Control)]
    if own:
        yield from _table(HEADS, [_row(control) for control in own])
    # Beside the desk itself, not below it.
    below = level if isinstance(section, Desk) else level + 1
    for _, part in inside:
        if isinstance(part, Section):
            yield from _pages(part, f"`{part.path}`", below)
        elif isinstance(part, Each):
            each: Sequence[Section] = list(part.values())
            yield from _pages(each[0], _names(part, [one.path for one in each]), below)


def _names(parts: Each[Any, Any], paths: list[str]) -> str:
    """Return the names of a repeated section, all of them if they are words."""
    numbered = all(isinstance(key, int) for key in parts) and len(parts) > 2
    shown = [f"`{path}`" for path in paths]
    return f"{shown[0]} to {shown[-1]}" if numbered else ", ".join(shown)


def _sentence(section: Section) -> str:
    return (inspect.getdoc(type(section)) or "").replace("``", "`")


def _row(control: Control) -> tuple[str, ...]:
    name = control.path.rpartition(".")[2]
    notes = ["*Planned.*"] * control.planned + ["*Stage.*"] * (control.owner == "stage")
    return (
        f"`{name}`",
        control.label,
        control.group,
        control.kind,
        control.range_text(),
        _rest(control),
        " ".join([*notes, control.sentence]),
    )


def _rest(control: Control) -> str:
    """Return a control's value at rest, or a button's default."""
    scale = control.scale
    if isinstance(control, Meter) or not control.range_text():
        return ""
    if scale.optional:
        return control.text(scale.rest)
    if isinstance(control, Fader | Button) and control.text(scale.rest) != "off":
        return f"{scale.rest:.10g} {scale.unit}".rstrip()
    return control.text(scale.rest)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(msgspec.json.encode(openapi_document()))
