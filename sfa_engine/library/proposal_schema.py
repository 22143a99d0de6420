"""The table of what agents propose, and what became of it. SQL alone."""

from __future__ import annotations

# `basis` has digests of what a proposal changes, as it was when it was proposed; `undo` has what
# each step changed, written in the transaction of the step.
PROPOSALS = """
CREATE TABLE proposals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL, -- 0 for the machine
    agent TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('cues', 'playlist', 'grid', 'plan')),
    state TEXT NOT NULL DEFAULT 'open' CHECK (
        state IN ('open', 'applying', 'applied', 'dropped', 'undoing', 'undone', 'failed')
    ),
    title TEXT NOT NULL,
    reason TEXT NOT NULL,
    steps TEXT NOT NULL, -- JSON: [{"verb": …, "params": {…}}, …]
    details TEXT NOT NULL, -- JSON, as shown
    tracks TEXT NOT NULL, -- JSON: their numbers
    audition TEXT NOT NULL DEFAULT '', -- name of the plan that can be heard
    basis TEXT NOT NULL, -- JSON: {"the cues by hand of track 12": digest, …}
    undo TEXT NOT NULL DEFAULT '[]', -- JSON: for each step that was begun, in order
    note TEXT NOT NULL DEFAULT '', -- why it was dropped, failed, or is open again
    created_s REAL NOT NULL,
    changed_s REAL NOT NULL -- when its state was
);
CREATE INDEX proposals_account ON proposals (account, state, id);
"""
