#!/usr/bin/env python3
"""What others' readers find in a library that we wrote, as JSON; and what they write of it.

For a venv of its own with `requirements.txt`: pyrekordbox (MIT) and traktor-nml-utils (GPL-3) are
independent readers for tests, and no part of the product.

    libraries.py rekordbox|traktor FILE COPY

FILE is read and written to COPY by the other program's code.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any


def rekordbox(path: Path, copy: Path) -> dict[str, Any]:
    """Read an XML file with pyrekordbox."""
    from pyrekordbox.rbxml import RekordboxXml

    library = RekordboxXml(path)
    tracks = {
        track.Location: {
            "title": track.Name,
            "bpm": track.AverageBpm,
            "rating": track.Rating,
            "tempos": [[each.Inizio, each.Bpm, each.Battito] for each in track.tempos],
            "cues": [
                [each.Type, each.Start, each.End, each.Num, each.Name] for each in track.marks
            ],
        }
        for track in library.get_tracks()
    }
    by_id = {track.TrackID: track.Location for track in library.get_tracks()}
    root = library.get_playlist()
    lists = {
        f"{folder.name}/{node.name}": [by_id[key] for key in node.get_tracks()]
        for folder in root.get_playlists()
        for node in folder.get_playlists()
    }
    library.save(copy)
    return {"tracks": tracks, "lists": lists}


def traktor(path: Path, copy: Path) -> dict[str, Any]:
    """Read a collection with traktor-nml-utils."""
    from traktor_nml_utils import TraktorCollection

    shutil.copy(path, copy)
    library = TraktorCollection(copy)
    tracks = {}
    for entry in library.nml.collection.entry:
        place = entry.location
        marks = entry.cue_v2
        tracks[f"{place.volume}{place.dir}{place.file}"] = {
            "title": entry.title,
            "bpm": entry.tempo.bpm,
            "rating": entry.info.ranking,
            "tempos": [[each.start, each.grid.bpm] for each in marks if each.type == 4],
            "cues": [
                [each.type, each.start, each.len, each.hotcue, each.name]
                for each in marks
                if each.type != 4
            ],
        }
    lists = {
        f"{folder.name}/{node.name}": [entry.primarykey.key for entry in node.playlist.entry]
        for folder in library.nml.playlists.node.subnodes.node
        for node in folder.subnodes.node
    }
    library.save()
    return {"tracks": tracks, "lists": lists}


if __name__ == "__main__":
    program, source, target = sys.argv[1:]
    reader = {"rekordbox": rekordbox, "traktor": traktor}[program]
    print(json.dumps(reader(Path(source), Path(target))))
