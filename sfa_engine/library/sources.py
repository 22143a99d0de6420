"""Recognises stems by the names of sound files. Reads folders, no sound."""

from __future__ import annotations

import re
from pathlib import Path

from sfa_engine.desk.deck import STEMS
from sfa_engine.errors import MediaError
from sfa_engine.system.sound_files import SOUND_FILES
from sfa_engine.track.media import MANIFEST, WHOLE

STEM_WORDS = {
    "vocals": "vocals vocal vox voice acapella acappella",
    "drums": "drums drum",
    "bass": "bass",
    "other": "other others rest instrumental accompaniment no_vocals",
    "guitar": "guitar guitars gtr",
    "piano": "piano keys",
    WHOLE: "mix mixture",
}
_WORD = re.compile("[a-z]+")
_NO_VOCALS = re.compile("no[ _-]?vocals?")  # what separators call all the rest


def stem_sources(path: str | Path) -> dict[str, Path]:
    """Return the sound file of each stem at a path.

    Parameters
    ----------
    path : str or Path
        A sound file, which becomes the stem ``mix``; or a folder of stem files, each with a
        word in its name that says which stem it is: ``drums.wav``, ``Song - Vocals.flac``.

    Returns
    -------
    dict of str to Path
        In the desk's order of stems.

    Raises
    ------
    MediaError
        No stem is recognised, two files are the same stem, or a file is neither a stem nor the
        whole song beside its stems.
    """
    path = Path(path)
    files = _sound_files(path)
    if files == [path]:
        return {WHOLE: path}
    if len(files) > 2:  # the whole song may lie beside its stems, and begin all their names
        song = min(files, key=lambda file: len(file.stem))
        if all(file.stem.startswith(song.stem) for file in files):
            files.remove(song)
    words = {
        file: set(_WORD.findall(_NO_VOCALS.sub("instrumental", file.stem.lower())))
        for file in files
    }
    title = set.intersection(*words.values()) if files else set()
    # a song called "Piano Man" has that in each name: the rest counts first
    offers = {
        file: _stems_among(words[file] - title) or _stems_among(words[file]) for file in files
    }
    if any(stems not in ([], [WHOLE]) for stems in offers.values()):
        offers = {file: stems for file, stems in offers.items() if stems != [WHOLE]}
    named = [stem for stems in offers.values() for stem in stems]
    if not named or len(set(named)) < len(named) or any(len(s) != 1 for s in offers.values()):
        listed = ", ".join(f'"{f.name}" ({" or ".join(s) or "?"})' for f, s in offers.items())
        accepted = "; ".join(f"{stem}: {known}" for stem, known in STEM_WORDS.items())
        raise MediaError(
            f'the names in "{path}" do not tell one stem each: {listed or "no sound file"}',
            f"put one of these words into each name, or move the file away ({accepted})",
        )
    found = {stems[0]: file for file, stems in offers.items()}
    return {stem: found[stem] for stem in STEMS if stem in found}


def _sound_files(path: Path) -> list[Path]:
    """Return a file itself, or the sound files in a folder that is not a bundle."""
    try:
        if path.is_file():
            return [path]
        if (path / MANIFEST).exists():
            raise MediaError(f'"{path}" is a bundle already', "load it as it is")
        return sorted(
            file
            for file in path.iterdir()
            if file.suffix.lower() in SOUND_FILES and file.name[0] != "." and file.is_file()
        )
    except OSError as problem:
        raise MediaError(
            f'cannot read "{path}": {problem.strerror}', "name a sound file or a folder of stems"
        ) from problem


def _stems_among(words: set[str]) -> list[str]:
    """Return the stems that some words name; "mix" counts only if no other does."""
    stems = [stem for stem, known in STEM_WORDS.items() if words & set(known.split())]
    return stems if len(stems) < 2 else [stem for stem in stems if stem != WHOLE]
