"""Proposals of accounts and what became of them. Functions on a connection of `Database`.

::

    add ─► open ─┬─► applying ─┬─► applied ─► undoing ─► undone
                 │             └─► failed: what was done is undone
                 └─► dropped

A proposal that a crash leaves in ``applying`` or ``undoing`` is completed or undone at the next
start, see `backstage.proposals.applier`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any, Literal, get_args

import msgspec

from sfa_engine.agents.contract import Proposal, ProposalKind, Step
from sfa_engine.errors import Absent, LibraryError, Refused
from sfa_engine.library.database import Connection, Row, change, insert, row, rows
from sfa_engine.library.row_images import RowChange

State = Literal["open", "applying", "applied", "dropped", "undoing", "undone", "failed"]
STATES: tuple[State, ...] = get_args(State)

MAX_OPEN = 200  # of an account
MAX_CLOSED = 1000  # of an account: what undoes them is kept as long
MAX_TITLE, MAX_REASON, MAX_NOTE = 200, 2000, 500  # characters
MAX_AGENT, MAX_AUDITION = 40, 100
MAX_TRACKS = 1000
MAX_STEPS_BYTES = 600_000  # a plan of 300 tracks has 0.5 MB
MAX_DETAILS_BYTES = 64_000  # 20 of them fit into an answer
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # controls, bidi, zero width, separators


class Undo(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a step has changed.

    Attributes
    ----------
    rows : tuple of RowChange
    plan : str
        Name of the plan that it changed, if it did.
    before : str, optional
        The plan's text before; None if there was none.
    after : str
        Digest of its text after; empty while that is not known.
    """

    rows: tuple[RowChange, ...] = ()
    plan: str = ""
    before: str | None = None
    after: str = ""


class StoredProposal(msgspec.Struct, frozen=True):
    """A proposal, and what became of it.

    Attributes
    ----------
    id : int
    account : int
    agent : str
    kind : ProposalKind
    state : State
    title, reason : str
    steps : tuple of Step
    details : dict
    tracks : tuple of int
    audition : str
    basis : dict of str to str
        What it changes, in words, and a digest of it as it was.
    undo : tuple of Undo
        For each step that was begun, in order.
    note : str
    created_s, changed_s : float
        Since 1970.
    """

    id: int
    account: int
    agent: str
    kind: ProposalKind
    state: State
    title: str
    reason: str
    steps: tuple[Step, ...]
    details: dict[str, Any]
    tracks: tuple[int, ...]
    audition: str
    basis: dict[str, str]
    undo: tuple[Undo, ...]
    note: str
    created_s: float
    changed_s: float


_JSON: dict[str, Any] = {
    "steps": tuple[Step, ...],
    "details": dict[str, Any],
    "tracks": tuple[int, ...],
    "basis": dict[str, str],
    "undo": tuple[Undo, ...],
}
_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in _JSON.items()}
_HEAD = (
    "id, account, agent, kind, state, title, reason, tracks, audition, note, created_s, changed_s"
)


def checked(proposal: Proposal) -> Proposal:
    """Return a proposal whose texts are one line each, and short.

    Raises
    ------
    Refused
        It is too large, or has values that cannot be stored.
    """
    if len(proposal.tracks) > MAX_TRACKS:
        raise Refused(f"a proposal has {len(proposal.tracks)} tracks", f"{MAX_TRACKS} at most")
    if len(proposal.audition) > MAX_AUDITION:
        raise Refused("the name of its plan is too long", f"{MAX_AUDITION} characters at most")
    for name, most in (("steps", MAX_STEPS_BYTES), ("details", MAX_DETAILS_BYTES)):
        size = len(_encoded(getattr(proposal, name)))
        if size > most:
            raise Refused(f"the {name} of a proposal have {size} bytes", f"{most} at most")
    return msgspec.structs.replace(
        proposal,
        title=one_line(proposal.title, MAX_TITLE),
        reason=one_line(proposal.reason, MAX_REASON),
    )


def one_line(text: str, most: int) -> str:
    """Return a text without what is invisible, on one line, of so many characters at most."""
    seen = "".join(" " if unicodedata.category(c) in _INVISIBLE else c for c in text)
    line = " ".join(seen.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


async def add(
    connection: Connection,
    account: int,
    agent: str,
    proposal: Proposal,
    basis: dict[str, str],
    now_s: float,
) -> int:
    """Store a checked proposal, and return its number; one that is open already is not doubled.

    Of more than `MAX_OPEN` open ones the oldest is dropped, with a note.
    """
    steps, base = _encoded(proposal.steps), _encoded(basis)
    there = await row(
        connection,
        "SELECT id FROM proposals WHERE account = ? AND state = 'open' AND kind = ? AND steps = ?"
        " AND basis = ?",
        (account, proposal.kind, steps, base),
    )
    if there is not None:
        return int(there["id"])
    number = await insert(
        connection,
        "INSERT INTO proposals (account, agent, kind, title, reason, steps, details, tracks,"
        " audition, basis, created_s, changed_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(
                account,
                one_line(agent, MAX_AGENT),
                proposal.kind,
                proposal.title,
                proposal.reason,
                steps,
            ),
            *(_encoded(proposal.details), _encoded(proposal.tracks), proposal.audition, base),
            *(now_s, now_s),
        ),
    )
    await change(
        connection,
        "UPDATE proposals SET state = 'dropped', changed_s = ?, note = ? WHERE id IN"
        " (SELECT id FROM proposals WHERE account = ? AND state = 'open'"
        " ORDER BY id DESC LIMIT -1 OFFSET ?)",
        (now_s, f"more than {MAX_OPEN} were open", account, MAX_OPEN),
    )
    await change(
        connection,
        "DELETE FROM proposals WHERE id IN (SELECT id FROM proposals WHERE account = ?"
        " AND state IN ('applied', 'dropped', 'undone', 'failed')"
        " ORDER BY changed_s DESC, id DESC LIMIT -1 OFFSET ?)",
        (account, MAX_CLOSED),
    )
    return number


async def get(connection: Connection, account: int, number: int) -> StoredProposal:
    """Return a proposal of an account.

    Raises
    ------
    Absent
        The account has none of the number.
    LibraryError
        Its row was changed by hand, and cannot be read.
    """
    return _read(await _row(connection, account, number))


async def state_of(connection: Connection, account: int, number: int) -> State:
    """Return the state of a proposal of an account; errors are those of `get`."""
    found: State = (await _row(connection, account, number))["state"]
    return found


async def listed(
    connection: Connection, account: int, states: Sequence[str], before: int, limit: int
) -> list[dict[str, Any]]:
    """Return proposals of an account, newest first, without steps and details.

    Parameters
    ----------
    connection : Connection
    account : int
    states : sequence of str
        All if empty.
    before : int
        Those with a lower number.
    limit : int
    """
    wanted = list(states) or list(STATES)
    slots = ", ".join("?" * len(wanted))
    found = await rows(
        connection,
        f"SELECT {_HEAD} FROM proposals WHERE account = ? AND state IN ({slots}) AND id < ?"  # noqa: S608
        " ORDER BY id DESC LIMIT ?",
        (account, *wanted, before, limit),
    )
    return [{**dict(each), "tracks": _decoded(each, "tracks")} for each in found]


async def unfinished(connection: Connection) -> list[tuple[int, int]]:
    """Return account and number of proposals that a crash left while applied or undone."""
    found = await rows(
        connection,
        "SELECT account, id FROM proposals WHERE state IN ('applying', 'undoing') ORDER BY id",
    )
    return [(int(each["account"]), int(each["id"])) for each in found]


async def move(
    connection: Connection, number: int, before: State, after: State, now_s: float, note: str = ""
) -> None:
    """Change the state of a proposal.

    Raises
    ------
    Refused
        It is not in the state `before`.
    """
    changed = await change(
        connection,
        "UPDATE proposals SET state = ?, changed_s = ?, note = ? WHERE id = ? AND state = ?",
        (after, now_s, one_line(note, MAX_NOTE), number, before),
    )
    if not changed:
        found = await row(connection, "SELECT state FROM proposals WHERE id = ?", (number,))
        raise refusal(number, found["state"] if found else "gone")


def refusal(number: int, state: str) -> Refused:
    """Return the error for a proposal that is not in the state that is needed."""
    hints = {
        "open": f"apply it first: `sfa proposals apply {number}`",
        "applying": "wait until that has ended",
        "applied": f"undo it: `sfa proposals undo {number}`",
        "undoing": "wait until that has ended",
    }
    words = {"applying": "being applied", "undoing": "being undone"}
    return Refused(
        f"proposal {number} is {words.get(state, state)}", hints.get(state, "ask the agent again")
    )


async def set_undo(connection: Connection, number: int, undo: Sequence[Undo]) -> None:
    """Store what the steps that were begun have changed."""
    await change(
        connection, "UPDATE proposals SET undo = ? WHERE id = ?", (_encoded(tuple(undo)), number)
    )


async def _row(connection: Connection, account: int, number: int) -> Row:
    found = await row(
        connection, "SELECT * FROM proposals WHERE id = ? AND account = ?", (number, account)
    )
    if found is None:
        raise Absent(f"no proposal {number}", "see `sfa proposals`")
    return found


def _read(found: Row) -> StoredProposal:
    values = {name: found[name] for name in StoredProposal.__struct_fields__}
    values |= {name: _decoded(found, name) for name in _JSON}
    return StoredProposal(**values)


def _decoded(found: Row, name: str) -> Any:
    try:
        return _DECODERS[name].decode(found[name])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise LibraryError(
            f"the {name} of proposal {found['id']} cannot be read",
            f"drop it: `sfa proposals drop {found['id']}`",
        ) from None


def _encoded(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Refused(f"a proposal cannot be stored: {error!s:.80}", "report it") from None
