"""Tags of how a track sounds, as two trained networks name them, and what their numbers mean.

``sfa_engine.prep.tag`` computes a probability for each of `LABELS` and a vector of `VECTOR`
numbers; the library stores both. Several labels may be one tag: "female voice" and "woman" are
*female vocals*, and its probability is the highest of theirs. Data and arithmetic alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

VERSION = 1  # rises when the same sound would get other numbers

# Of the Million Song Dataset's net, then of MagnaTagATune's, in the order of their outputs.
_MSD = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
    "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock",
    "soul", "indie rock", "mellow", "electronica", "80s", "folk", "90s", "chill", "instrumental",
    "punk", "oldies", "blues", "hard rock", "ambient", "acoustic", "experimental",
    "female vocalist", "guitar", "hip-hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "progressive rock", "60s", "rnb", "indie pop",
    "sad", "house", "happy",
)  # fmt: skip
_MTT = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast",
    "piano", "ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male",
    "singing", "vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman",
    "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man", "classic", "choir", "voice",
    "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice", "weird",
    "country", "metal", "female voice", "choral",
)  # fmt: skip
LABELS = (*_MSD, *_MTT)
UNITS = 200  # of the layer before the last, of each net
VECTOR = 2 * UNITS

_SAME: Mapping[str, str] = {
    **dict.fromkeys(("female vocalists", "female vocalist", "female", "woman"), "female vocals"),
    **dict.fromkeys(("female vocal", "female voice"), "female vocals"),
    **dict.fromkeys(("male vocalists", "male", "man", "male vocal", "male voice"), "male vocals"),
    **dict.fromkeys(("vocal", "singing", "voice"), "vocals"),
    **dict.fromkeys(("no vocals", "no vocal", "no voice"), "instrumental"),
    "chill": "chillout",
    "heavy metal": "metal",
    "hip-hop": "hip hop",
    "classic": "classical",
    "choral": "choir",
    "beat": "beats",
    "00s": "2000s",
}


def _columns() -> dict[str, tuple[int, ...]]:
    """Return the labels of each tag, by their places."""
    found: dict[str, tuple[int, ...]] = {}
    for place, label in enumerate(LABELS):
        name = _SAME.get(label, label)
        found[name] = (*found.get(name, ()), place)
    return found


TAGS: Mapping[str, tuple[int, ...]] = _columns()  # name: places in `LABELS`
LEAST = 0.1  # probability of a tag that is worth showing
SHOWN = 8


def probabilities(labels: NDArray[np.float32], tag: str) -> NDArray[np.float32]:
    """Return the probability of a tag in each row of probabilities, float32[..., LABELS]."""
    highest: NDArray[np.float32] = labels[..., list(TAGS[tag])].max(axis=-1)
    return highest


def top(labels: ArrayLike) -> list[tuple[str, float]]:
    """Return the most probable tags of a track, up to `SHOWN`, from its float32[LABELS].

    Empty for a silent track, which has no labels.
    """
    labels = np.asarray(labels, np.float32)
    if len(labels) != len(LABELS):
        return []
    found = [(tag, float(probabilities(labels, tag))) for tag in TAGS]
    likely = sorted((each for each in found if each[1] >= LEAST), key=lambda each: -each[1])
    return [(tag, round(value, 3)) for tag, value in likely[:SHOWN]]
