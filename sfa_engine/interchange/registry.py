"""The formats that libraries are imported from and exported to: one table.

::

    file ─► read(path) ─► Collection ─► backstage.exchange ─► rows
    rows ─► backstage.exchange ─► Collection ─► write(collection, path) ─► file or folder

A format is a module of this package with ``read``, ``write`` or both; the module is imported when
it is used. The contract of both functions:

``read(path: Path) -> Collection``
    Raise MediaError with a hint for a file that is not of the format, that is damaged as a whole,
    or of an unknown version. One wrong field is a `Loss` and costs that field, never the track.
    `path` is the file, or the folder if the format is one. Nothing is written, nothing is locked.
``write(collection: Collection, path: Path) -> list[Loss]``
    Write a file atomically, see `sfa_engine.system.atomic`; for a format that `is_folder` put
    files into the folder `path`, which exists. For a format that writes a file for `each` track
    the collection has one track, and `path` is the file; such a writer is called once for each.
    Raise MediaError if nothing can be written. What the format cannot hold is a `Loss`.

Neither moves positions for the first frames of MP3s: a format names its `program`, and the caller
moves each track by `sfa_engine.interchange.mp3_shift`, which needs the sound files. Both are called
outside the event loop, know no database and keep no state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import Literal

from sfa_engine.errors import MediaError, Refused, did_you_mean
from sfa_engine.interchange.record import Collection, Loss

Program = Literal["", "rekordbox", "traktor", "serato", "virtualdj", "engine", "mixxx"]
Reader = Callable[[Path], Collection]
Writer = Callable[[Collection, Path], list[Loss]]

HEAD_BYTES = 4096  # of a file in which its mark is looked for


@dataclass(frozen=True, slots=True)
class Format:
    """A format of a library or of a track.

    Parameters
    ----------
    name : str
        As a command takes it.
    title : str
        As a person knows it.
    module : str
        In this package.
    reads, writes : bool
        Whether the module has ``read`` and ``write``.
    files : tuple of str
        Patterns of the names of its files or folders, in small letters; the first one also names
        what is written.
    mark : bytes
        That is in the first `HEAD_BYTES` of a file, without case: for names that several have.
    program : str
        By whose count of an MP3's frames positions are; empty: ours.
    is_folder : bool
        Whether it writes several files into a folder.
    each : bool
        Whether it writes a file for each track.
    sound : bool
        Whether it is made of the stems, so that tracks have to be prepared.
    """

    name: str
    title: str
    module: str
    reads: bool = False
    writes: bool = False
    files: tuple[str, ...] = ()
    mark: bytes = b""
    program: Program = ""
    is_folder: bool = False
    each: bool = False
    sound: bool = False

    def read(self, path: Path) -> Collection:
        """Read a file or a folder of the format. Blocks."""
        if not self.reads:
            raise Refused(f"{self.title} is only written", f"give one of {', '.join(READ)}")
        read: Reader = import_module(f"{__package__}.{self.module}").read
        return read(path)

    def write(self, collection: Collection, path: Path) -> list[Loss]:
        """Write a file or a folder of the format; return what it cannot hold. Blocks."""
        if not self.writes:
            raise Refused(f"{self.title} is only read", f"give one of {', '.join(WRITTEN)}")
        write: Writer = import_module(f"{__package__}.{self.module}").write
        return write(collection, path)

    @property
    def suffix(self) -> str:
        """The ending of what it writes, with its dot; empty for a folder."""
        return "" if self.is_folder else self.files[0].removeprefix("*")

    def fits(self, path: Path) -> bool:
        """Return whether a path looks like one of the format, by its name and mark. Blocks.

        A name without an ending says nothing: then the mark alone does.
        """
        name = path.name.lower()
        is_named = any(fnmatchcase(name, pattern) for pattern in self.files)
        if not is_named and (path.suffix or not self.mark):
            return False
        if not self.mark:
            return True
        try:
            with path.open("rb") as file:
                head = file.read(HEAD_BYTES)
        except OSError:
            return False
        # UTF-16 has a zero beside each letter.
        return self.mark.lower() in head.lower().replace(b"\0", b"")


FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        Format(
            *("sfa", "Sound Forge Alchemy", "own"),
            reads=True,
            writes=True,
            files=("*.sfa-library.zip",),
        ),
        Format(
            *("rekordbox", "rekordbox XML", "rekordbox_xml"),
            reads=True,
            writes=True,
            files=("*.xml",),
            mark=b"<DJ_PLAYLISTS",
            program="rekordbox",
        ),
        Format(
            *("traktor", "Traktor collection", "traktor_nml"),
            reads=True,
            writes=True,
            files=("*.nml",),
            program="traktor",
        ),
        Format(
            *("traktor3", "Traktor 2 and 3 collection", "traktor3_nml"),
            writes=True,
            files=("*.nml",),
            program="traktor",
        ),
        Format(
            *("virtualdj", "VirtualDJ database", "virtualdj_xml"),
            reads=True,
            writes=True,
            files=("*.xml",),
            mark=b"<VirtualDJ_Database",
            program="virtualdj",
        ),
        Format(
            *("apple", "Apple Music library", "apple_xml"),
            reads=True,
            files=("*.xml",),
            mark=b"<plist",
        ),
        Format(
            *("serato", "Serato tags and crates", "serato"),
            reads=True,
            writes=True,
            files=("_serato_",),
            program="serato",
            is_folder=True,
        ),
        Format(
            *("engine", "Engine DJ library", "engine_dj"),
            reads=True,
            writes=True,
            files=("engine library", "m.db"),
            program="engine",
            is_folder=True,
        ),
        Format(
            *("mixxx", "Mixxx database", "mixxx"),
            reads=True,
            files=("*.sqlite",),
            program="mixxx",
        ),
        Format(
            *("stem", "STEM files", "stem_file"),
            reads=True,
            writes=True,
            files=("*.stem.mp4", "*.stem.m4a"),
            each=True,
            sound=True,
        ),
        Format(
            *("m3u", "M3U playlist", "m3u"),
            reads=True,
            writes=True,
            files=("*.m3u8", "*.m3u"),
        ),
        Format(
            *("cue", "CUE sheets", "cue_sheet"),
            reads=True,
            writes=True,
            files=("*.cue",),
            each=True,
        ),
        Format(
            *("stems", "folder of stems", "stem_folder"),
            reads=True,
        ),
        Format(
            *("zip", "stems as a zip of FLAC", "stem_zip"),
            writes=True,
            files=("*.stems.zip",),
            each=True,
            sound=True,
        ),
        Format(
            *("zip-wav", "stems as a zip of WAV", "stem_zip_wav"),
            writes=True,
            files=("*.stems.zip",),
            each=True,
            sound=True,
        ),
        Format(
            *("midi", "MIDI tempo map with markers", "midi_map"),
            writes=True,
            files=("*.mid",),
            each=True,
        ),
        Format(
            *("analysis", "analysis as JSON", "analysis_json"),
            writes=True,
            files=("*.analysis.json",),
            each=True,
        ),
        Format(
            *("setlist", "set list with times", "set_list"),
            writes=True,
            files=("*.txt",),
        ),
    )
}

OWN = "sfa"  # of rows, not of a collection: see `sfa_engine.interchange.own`
READ: tuple[str, ...] = tuple(name for name, each in FORMATS.items() if each.reads)
WRITTEN: tuple[str, ...] = tuple(name for name, each in FORMATS.items() if each.writes)


def named(name: str) -> Format:
    """Return the format of a name; Refused if there is none."""
    if name not in FORMATS:
        hint = did_you_mean(name, FORMATS) or f"give one of {', '.join(FORMATS)}"
        raise Refused(f'no format "{name:.40}"', hint)
    return FORMATS[name]


def recognised(path: Path) -> Format:
    """Return the format of a file or a folder, by its name and its beginning. Blocks.

    Raises
    ------
    MediaError
        It does not exist, or looks like none.
    """
    if not path.exists():
        raise MediaError(f'no file or folder "{path}"', "check the path")
    for each in FORMATS.values():
        if each.reads and each.fits(path):
            return each
    if path.is_dir():
        inside = [FORMATS["serato"], FORMATS["engine"]]
        for each in inside:  # the folder above, as that of a drive
            if any(each.fits(entry) for entry in path.iterdir()):
                return each
        return FORMATS["stems"]
    raise MediaError(f'"{path}" is of no known format', f"name it with --format: {', '.join(READ)}")
