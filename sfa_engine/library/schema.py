"""The tables of the library, as its first migration makes them.

A migration that was released is never changed: what comes later is a migration of its own, in
`sfa_engine.library.migrations`. Times are seconds since 1970 (UTC), truth is 0 or 1, a musical
place is in seconds from the track's start, but an anchor of a grid is in frames at its `rate`.
SQL alone; knows no connection and no file.

``tracks.bpm``, ``key``, ``camelot`` and ``energy`` are the values in force, chosen from tags,
analysis, grid and hand by `sfa_engine.library.tracks.settle`, so that a search needs one table.
"""

from __future__ import annotations

TRACKS = """
CREATE TABLE tracks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: queues and journals keep them
    uuid TEXT NOT NULL UNIQUE,
    content_hash TEXT, -- SHA-256 of the source file; NULL until it is here
    title TEXT NOT NULL DEFAULT '',
    artist TEXT NOT NULL DEFAULT '',
    album TEXT NOT NULL DEFAULT '',
    genre TEXT NOT NULL DEFAULT '',
    year INTEGER,
    duration_s REAL,
    bundle TEXT UNIQUE, -- name of its folder; NULL until there is one
    cover TEXT, -- name of a file in covers/
    state TEXT NOT NULL DEFAULT 'added'
        CHECK (state IN ('added', 'preparing', 'ready', 'failed')),
    problem TEXT NOT NULL DEFAULT '', -- why it failed
    tag_bpm REAL,
    tag_key TEXT,
    hand_key TEXT,
    bpm REAL,
    key TEXT,
    camelot TEXT,
    energy REAL,
    added_at REAL NOT NULL,
    changed_at REAL NOT NULL,
    deleted_at REAL
);
CREATE UNIQUE INDEX tracks_content ON tracks (content_hash)
    WHERE content_hash IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX tracks_name ON tracks (artist COLLATE NOCASE, title COLLATE NOCASE, id)
    WHERE deleted_at IS NULL;
CREATE INDEX tracks_bpm ON tracks (bpm) WHERE deleted_at IS NULL;
CREATE INDEX tracks_camelot ON tracks (camelot) WHERE deleted_at IS NULL;
CREATE INDEX tracks_energy ON tracks (energy) WHERE deleted_at IS NULL;
CREATE INDEX tracks_year ON tracks (year) WHERE deleted_at IS NULL;
CREATE INDEX tracks_added ON tracks (added_at) WHERE deleted_at IS NULL;
CREATE INDEX tracks_state ON tracks (state) WHERE deleted_at IS NULL;
CREATE INDEX tracks_deleted ON tracks (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX tracks_cover ON tracks (cover) WHERE cover IS NOT NULL;

CREATE TABLE sources (
    id INTEGER PRIMARY KEY,
    track_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE,
    location TEXT NOT NULL, -- a path or an address; the first one is where it came from
    added_at REAL NOT NULL,
    UNIQUE (track_id, location)
);
CREATE INDEX sources_location ON sources (location);

CREATE VIRTUAL TABLE track_words USING fts5(
    title, artist, album, genre,
    content = 'tracks', content_rowid = 'id',
    tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);
CREATE TRIGGER tracks_inserted AFTER INSERT ON tracks BEGIN
    INSERT INTO track_words (rowid, title, artist, album, genre)
        VALUES (new.id, new.title, new.artist, new.album, new.genre);
END;
CREATE TRIGGER tracks_removed AFTER DELETE ON tracks BEGIN
    INSERT INTO track_words (track_words, rowid, title, artist, album, genre)
        VALUES ('delete', old.id, old.title, old.artist, old.album, old.genre);
END;
CREATE TRIGGER tracks_renamed AFTER UPDATE OF title, artist, album, genre ON tracks BEGIN
    INSERT INTO track_words (track_words, rowid, title, artist, album, genre)
        VALUES ('delete', old.id, old.title, old.artist, old.album, old.genre);
    INSERT INTO track_words (rowid, title, artist, album, genre)
        VALUES (new.id, new.title, new.artist, new.album, new.genre);
END;
"""

KNOWLEDGE = """
CREATE TABLE stems (
    track_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE,
    name TEXT NOT NULL,
    engine TEXT NOT NULL,
    model TEXT NOT NULL DEFAULT '',
    version TEXT NOT NULL DEFAULT '',
    preview INTEGER NOT NULL DEFAULT 0 CHECK (preview IN (0, 1)), -- of a part of the track
    sketch INTEGER NOT NULL DEFAULT 0 CHECK (sketch IN (0, 1)), -- quick, until better ones come
    made_at REAL NOT NULL,
    PRIMARY KEY (track_id, name)
) WITHOUT ROWID;

CREATE TABLE analyses (
    track_id INTEGER PRIMARY KEY REFERENCES tracks ON DELETE CASCADE,
    version TEXT NOT NULL,
    bpm REAL,
    confidence REAL,
    variable INTEGER NOT NULL DEFAULT 0 CHECK (variable IN (0, 1)),
    key TEXT,
    lufs REAL,
    peak_dbtp REAL,
    energy REAL,
    sections TEXT NOT NULL DEFAULT '[]', -- JSON: [[start_s, end_s, label], ...]
    features BLOB, -- JSON, compressed by zlib
    made_at REAL NOT NULL
);

CREATE TABLE grids (
    track_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE,
    origin TEXT NOT NULL CHECK (origin IN ('automatic', 'hand')), -- hand is in force
    rate INTEGER NOT NULL, -- Hz, of the frames
    anchors TEXT NOT NULL, -- JSON: [[frame, beat], ...]
    bpm REAL NOT NULL, -- after the last anchor
    beats_per_bar INTEGER NOT NULL DEFAULT 4,
    changed_at REAL NOT NULL,
    PRIMARY KEY (track_id, origin)
) WITHOUT ROWID;
"""

MADE_BY_HAND = """
CREATE TABLE cues (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    track_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE,
    origin TEXT NOT NULL CHECK (origin IN ('automatic', 'hand')),
    kind TEXT NOT NULL,
    position_s REAL NOT NULL CHECK (position_s >= 0),
    end_s REAL CHECK (end_s > position_s), -- of a loop
    slot INTEGER CHECK (slot BETWEEN 1 AND 8), -- hot cue
    label TEXT NOT NULL DEFAULT '',
    color TEXT NOT NULL DEFAULT '', -- #rrggbb
    stem TEXT, -- of a loop of one stem
    changed_at REAL NOT NULL
);
CREATE INDEX cues_place ON cues (track_id, position_s);
CREATE UNIQUE INDEX cues_slot ON cues (track_id, slot) WHERE slot IS NOT NULL;

CREATE TABLE playlists (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL COLLATE NOCASE UNIQUE,
    changed_at REAL NOT NULL
);
CREATE TABLE playlist_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    playlist_id INTEGER NOT NULL REFERENCES playlists ON DELETE CASCADE,
    place INTEGER NOT NULL, -- 0 is the first
    track_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE
);
CREATE INDEX playlist_entries_place ON playlist_entries (playlist_id, place);
CREATE INDEX playlist_entries_track ON playlist_entries (track_id);
"""

LIBRARY = TRACKS + KNOWLEDGE + MADE_BY_HAND

JOBS = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    queue TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('waiting', 'running', 'done', 'skipped', 'failed', 'cancelled')),
    priority INTEGER NOT NULL DEFAULT 0, -- higher is earlier
    attempts INTEGER NOT NULL DEFAULT 0,
    most_attempts INTEGER NOT NULL DEFAULT 3,
    title TEXT NOT NULL DEFAULT '',
    args TEXT NOT NULL DEFAULT '{}', -- JSON
    result TEXT, -- JSON
    error TEXT, -- JSON: code, message, hint of the last attempt that failed
    track_id INTEGER REFERENCES tracks ON DELETE SET NULL,
    after_id INTEGER REFERENCES jobs ON DELETE SET NULL, -- waits until that one has ended
    needs_last INTEGER NOT NULL DEFAULT 0 CHECK (needs_last IN (0, 1)), -- and ended well
    unique_key TEXT,
    batch TEXT NOT NULL DEFAULT '',
    owner TEXT, -- the process at work on it
    due_s REAL NOT NULL,
    created_s REAL NOT NULL,
    started_s REAL NOT NULL DEFAULT 0,
    ended_s REAL NOT NULL DEFAULT 0,
    time_limit_s REAL NOT NULL
);
CREATE UNIQUE INDEX jobs_unique ON jobs (unique_key)
    WHERE unique_key IS NOT NULL AND state IN ('waiting', 'running');
CREATE INDEX jobs_next ON jobs (queue, priority DESC, id) WHERE state = 'waiting';
CREATE INDEX jobs_running ON jobs (owner) WHERE state = 'running';
CREATE INDEX jobs_after ON jobs (after_id) WHERE after_id IS NOT NULL;
CREATE INDEX jobs_batch ON jobs (batch);
CREATE INDEX jobs_track ON jobs (track_id) WHERE track_id IS NOT NULL;
CREATE INDEX jobs_ended ON jobs (ended_s);
"""

BATCHES = """
CREATE TABLE batch_jobs ( -- what each who asked waits for; two may wait for the same
    batch TEXT NOT NULL,
    job_id INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
    PRIMARY KEY (batch, job_id)
) WITHOUT ROWID;
CREATE INDEX batch_jobs_job ON batch_jobs (job_id);
INSERT INTO batch_jobs SELECT batch, id FROM jobs WHERE batch != '';
DROP INDEX jobs_batch;
ALTER TABLE jobs DROP COLUMN batch;
CREATE VIEW told_jobs AS SELECT jobs.*,
    (SELECT group_concat(batch, ' ') FROM batch_jobs WHERE job_id = jobs.id) AS batches
    FROM jobs;
"""

UNWANTED = """
CREATE TABLE unwanted_cues ( -- automatic ones that a person removed or made hers, as they were
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    track_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE,
    kind TEXT NOT NULL,
    position_s REAL NOT NULL,
    end_s REAL,
    stem TEXT
);
CREATE INDEX unwanted_cues_track ON unwanted_cues (track_id);
"""

# What waits in the queue is told from what waits for another job by a column that triggers keep,
# so that the next job is one step in an index, however many wait.
HELD = """
ALTER TABLE jobs ADD COLUMN
    held INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1)); -- the job before it has not ended
UPDATE jobs SET held = 1 WHERE after_id IN
    (SELECT id FROM jobs WHERE state IN ('waiting', 'running'));
CREATE TRIGGER jobs_put AFTER INSERT ON jobs WHEN new.after_id IS NOT NULL BEGIN
    UPDATE jobs SET held = 1 WHERE id = new.id AND EXISTS
        (SELECT 1 FROM jobs WHERE id = new.after_id AND state IN ('waiting', 'running'));
END;
CREATE TRIGGER jobs_moved AFTER UPDATE OF state ON jobs BEGIN
    UPDATE jobs SET held = new.state IN ('waiting', 'running') WHERE after_id = new.id;
END;
CREATE TRIGGER jobs_freed AFTER UPDATE OF after_id ON jobs WHEN new.after_id IS NULL BEGIN
    UPDATE jobs SET held = 0 WHERE id = new.id; -- the job before it was forgotten
END;
DROP INDEX jobs_next;
CREATE INDEX jobs_next ON jobs (queue, priority DESC, id) WHERE state = 'waiting' AND held = 0;
CREATE INDEX jobs_due ON jobs (queue, due_s) WHERE state = 'waiting' AND held = 0;
CREATE INDEX jobs_state ON jobs (state, id);
"""

# The words of tracks as `sfa_engine.library.folding` spells them, which is the trigger's function.
# The text is kept too: FTS5 without content deletes rows from SQLite 3.43 on only.
FOLDED_WORDS = """
DROP TRIGGER tracks_inserted;
DROP TRIGGER tracks_removed;
DROP TRIGGER tracks_renamed;
DROP TABLE track_words;
ALTER TABLE tracks ADD COLUMN comment TEXT NOT NULL DEFAULT '';
CREATE VIRTUAL TABLE track_words USING fts5(
    title, artist, album, genre, comment,
    tokenize = 'unicode61 remove_diacritics 0 categories ''L* M* N*''', prefix = '2 3'
);
INSERT INTO track_words (rowid, title, artist, album, genre, comment)
    SELECT id, sfa_fold(title), sfa_fold(artist), sfa_fold(album), sfa_fold(genre),
        sfa_fold(comment) FROM tracks;
CREATE TRIGGER tracks_inserted AFTER INSERT ON tracks BEGIN
    INSERT INTO track_words (rowid, title, artist, album, genre, comment)
        VALUES (new.id, sfa_fold(new.title), sfa_fold(new.artist), sfa_fold(new.album),
            sfa_fold(new.genre), sfa_fold(new.comment));
END;
CREATE TRIGGER tracks_removed AFTER DELETE ON tracks BEGIN
    DELETE FROM track_words WHERE rowid = old.id;
END;
CREATE TRIGGER tracks_renamed AFTER UPDATE OF title, artist, album, genre, comment ON tracks BEGIN
    UPDATE track_words SET title = sfa_fold(new.title), artist = sfa_fold(new.artist),
        album = sfa_fold(new.album), genre = sfa_fold(new.genre),
        comment = sfa_fold(new.comment) WHERE rowid = new.id;
END;
"""

# `play_count` and `played_at` repeat what `plays` says, kept by a trigger, so that a search and
# an order need one table. `account` is whose a track is, NULL for everybody's; the accounts
# themselves are rows of another program's database.
COLLECTION = """
ALTER TABLE tracks ADD COLUMN
    rating INTEGER NOT NULL DEFAULT 0 CHECK (rating BETWEEN 0 AND 5); -- stars; 0: not rated
ALTER TABLE tracks ADD COLUMN color TEXT NOT NULL DEFAULT ''; -- #rrggbb
ALTER TABLE tracks ADD COLUMN play_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tracks ADD COLUMN played_at REAL; -- last
ALTER TABLE tracks ADD COLUMN source_path TEXT; -- where its file was seen last
ALTER TABLE tracks ADD COLUMN account TEXT; -- the owner; NULL: everybody's
ALTER TABLE tracks ADD COLUMN trashed_s REAL NOT NULL DEFAULT 0; -- time seen in the trash
CREATE INDEX tracks_rating ON tracks (rating) WHERE deleted_at IS NULL;
CREATE INDEX tracks_color ON tracks (color) WHERE deleted_at IS NULL AND color <> '';
CREATE INDEX tracks_plays ON tracks (play_count) WHERE deleted_at IS NULL;
CREATE INDEX tracks_played ON tracks (played_at) WHERE deleted_at IS NULL;
CREATE INDEX tracks_source ON tracks (source_path) WHERE source_path IS NOT NULL;
CREATE INDEX tracks_account ON tracks (account) WHERE account IS NOT NULL;

CREATE TABLE memberships ( -- accounts that a track is shared with, beside its owner
    track_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE,
    account TEXT NOT NULL,
    added_at REAL NOT NULL,
    PRIMARY KEY (track_id, account)
) WITHOUT ROWID;
CREATE INDEX memberships_account ON memberships (account);

UPDATE tracks SET source_path = (SELECT location FROM sources
    WHERE track_id = tracks.id AND location LIKE '/%' ORDER BY id DESC LIMIT 1);
CREATE TRIGGER sources_seen AFTER INSERT ON sources WHEN new.location LIKE '/%' BEGIN
    UPDATE tracks SET source_path = new.location WHERE id = new.track_id;
END;

CREATE TABLE plays (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE, -- of the load: one that is told twice counts once
    track_id INTEGER REFERENCES tracks ON DELETE SET NULL,
    artist TEXT NOT NULL, -- as they were then: a set list outlives its tracks
    title TEXT NOT NULL,
    deck INTEGER NOT NULL,
    played_at REAL NOT NULL
);
CREATE INDEX plays_track ON plays (track_id, played_at);
CREATE INDEX plays_time ON plays (played_at);
CREATE TRIGGER plays_counted AFTER INSERT ON plays WHEN new.track_id IS NOT NULL BEGIN
    UPDATE tracks SET play_count = play_count + 1,
        played_at = max(coalesce(played_at, 0), new.played_at) WHERE id = new.track_id;
END;
"""

# A place that a track is known from no more, as where another file is now, is not its source.
SETTINGS = """
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;
UPDATE tracks SET source_path = (SELECT location FROM sources
    WHERE track_id = tracks.id AND location LIKE '/%' ORDER BY id DESC LIMIT 1)
    WHERE source_path IS NOT NULL AND NOT EXISTS (SELECT 1 FROM sources
        WHERE track_id = tracks.id AND location = source_path);
"""

# SQLite changes no CHECK of a table: a new one takes its place, and its name. The sequence goes
# with it, so that no number of a deleted cue is given again.
CUE_BANKS = """
CREATE TABLE banked_cues (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    track_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE,
    origin TEXT NOT NULL CHECK (origin IN ('automatic', 'hand')),
    kind TEXT NOT NULL,
    position_s REAL NOT NULL CHECK (position_s >= 0),
    end_s REAL CHECK (end_s > position_s), -- of a loop
    slot INTEGER CHECK (slot BETWEEN 1 AND 32), -- hot cue
    label TEXT NOT NULL DEFAULT '',
    color TEXT NOT NULL DEFAULT '', -- #rrggbb
    stem TEXT, -- of a loop of one stem
    changed_at REAL NOT NULL
);
INSERT INTO banked_cues SELECT id, track_id, origin, kind, position_s, end_s, slot, label, color,
    stem, changed_at FROM cues;
DELETE FROM sqlite_sequence WHERE name = 'banked_cues';
INSERT INTO sqlite_sequence (name, seq)
    SELECT 'banked_cues', seq FROM sqlite_sequence WHERE name = 'cues';
DROP TABLE cues;
ALTER TABLE banked_cues RENAME TO cues;
CREATE INDEX cues_place ON cues (track_id, position_s);
CREATE UNIQUE INDEX cues_slot ON cues (track_id, slot) WHERE slot IS NOT NULL;
"""

# Whether a deck stands on the cue when it is loaded.
CUES_ON_LOAD = """
ALTER TABLE cues ADD COLUMN on_load INTEGER NOT NULL DEFAULT 0 CHECK (on_load IN (0, 1));
"""

# The order of a service's playlist, kept until its tracks are here. An entry that a person removed
# takes its row with it.
FOLLOWED = """
ALTER TABLE playlists ADD COLUMN source TEXT; -- address of the service's playlist that it follows
CREATE UNIQUE INDEX playlists_source ON playlists (source) WHERE source IS NOT NULL;
CREATE TABLE followed_entries (
    playlist_id INTEGER NOT NULL REFERENCES playlists ON DELETE CASCADE,
    place INTEGER NOT NULL, -- 0 is the first
    location TEXT NOT NULL, -- address of the track
    entry_id INTEGER REFERENCES playlist_entries ON DELETE CASCADE, -- NULL until the track is here
    PRIMARY KEY (playlist_id, place)
) WITHOUT ROWID;
CREATE INDEX followed_entries_location ON followed_entries (location) WHERE entry_id IS NULL;
CREATE INDEX followed_entries_entry ON followed_entries (entry_id) WHERE entry_id IS NOT NULL;
"""

# What happened, for a person to read later. The trigger bounds it, whichever function adds a row.
NOTIFICATIONS = """
CREATE TABLE notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    created_s REAL NOT NULL,
    level TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),
    kind TEXT NOT NULL, -- as job.failed
    sentence TEXT NOT NULL,
    hint TEXT NOT NULL,
    track_id INTEGER REFERENCES tracks ON DELETE SET NULL,
    job_id INTEGER REFERENCES jobs ON DELETE SET NULL,
    is_read INTEGER NOT NULL DEFAULT 0 CHECK (is_read IN (0, 1))
);
CREATE INDEX notifications_track ON notifications (track_id) WHERE track_id IS NOT NULL;
CREATE INDEX notifications_job ON notifications (job_id) WHERE job_id IS NOT NULL;
CREATE TRIGGER notifications_bounded AFTER INSERT ON notifications BEGIN
    DELETE FROM notifications WHERE id <= new.id - 1000;
END;
"""

# A job is for accounts as a track is: `account` owns it, NULL is the machine, and `job_accounts`
# has all that wait for it.
OWNERS = """
ALTER TABLE jobs ADD COLUMN account TEXT; -- NULL: the machine's
CREATE TABLE job_accounts (
    job_id INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
    account TEXT NOT NULL,
    PRIMARY KEY (job_id, account)
) WITHOUT ROWID;
CREATE INDEX job_accounts_account ON job_accounts (account);
DROP VIEW told_jobs;
CREATE VIEW told_jobs AS SELECT jobs.*,
    (SELECT group_concat(batch, ' ') FROM batch_jobs WHERE job_id = jobs.id) AS batches,
    (SELECT group_concat(account, ' ') FROM job_accounts WHERE job_id = jobs.id) AS accounts
    FROM jobs;
CREATE TABLE flags (
    track_id INTEGER NOT NULL REFERENCES tracks ON DELETE CASCADE,
    account INTEGER NOT NULL, -- of the moderator; 0: the machine
    name TEXT NOT NULL, -- then
    reason TEXT NOT NULL,
    flagged_at REAL NOT NULL,
    PRIMARY KEY (track_id, account)
) WITHOUT ROWID;
-- Without its job a notification would be the machine's, for everybody to read.
CREATE TRIGGER notifications_of_accounts BEFORE DELETE ON jobs WHEN old.account IS NOT NULL BEGIN
    DELETE FROM notifications WHERE job_id = old.id;
END;
INSERT OR IGNORE INTO memberships
    SELECT id, account, added_at FROM tracks WHERE account IS NOT NULL;
"""

# What a track sounds like, as numbers; a new row for each analysis, so that a reader asks for what
# is new. The index tells whether a column has changed that searches in words keep in memory.
SOUNDS = """
CREATE TABLE sounds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    track_id INTEGER NOT NULL UNIQUE REFERENCES tracks ON DELETE CASCADE,
    version INTEGER NOT NULL, -- of what the numbers mean
    vector BLOB NOT NULL, -- float32, little-endian; empty: it cannot be found out
    measures BLOB NOT NULL -- float32, little-endian; NaN: not known
);
CREATE INDEX sounds_version ON sounds (version, track_id);
CREATE INDEX tracks_state_of ON tracks (changed_at, play_count, deleted_at) -- it covers the query
    WHERE deleted_at IS NULL;
"""

SOUND_TAGS = """
CREATE TABLE sound_tags (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    track_id INTEGER NOT NULL UNIQUE REFERENCES tracks ON DELETE CASCADE,
    version INTEGER NOT NULL, -- of what the numbers mean
    digest TEXT NOT NULL, -- of the sound
    vector BLOB NOT NULL, -- float32, little-endian; empty: the track is silent
    measures BLOB NOT NULL -- probabilities of the labels, likewise
);
CREATE INDEX sound_tags_version ON sound_tags (version, track_id);
"""

# Of libraries of other programs: the folders above a playlist, and the label that released a track.
EXCHANGE = """
ALTER TABLE playlists ADD COLUMN
    folders TEXT NOT NULL DEFAULT '[]'; -- JSON: names, the outermost first
ALTER TABLE tracks ADD COLUMN label TEXT NOT NULL DEFAULT '';
"""
