"""Reads the STEM files of `make_files.py` by stempeg; see there."""

import sys
from pathlib import Path

import numpy as np
import stempeg


def main(folder: Path) -> None:
    """Check that four stems sum to the mix, and are where they were."""
    for name, limit in (("alac", 2e-4), ("aac", 0.02)):
        sounds, rate = stempeg.read_stems(str(folder / f"{name}.stem.mp4"))
        assert sounds.shape[0] == 5, sounds.shape
        assert rate == 44_100, rate
        inner = sounds[:, 4000:-4000]  # a codec rings where a tone begins and ends at once
        rest = np.abs(inner[1:].sum(axis=0) - inner[0]).max()
        time = np.arange(sounds.shape[1]) / rate
        drums = 0.2 * np.sin(2 * np.pi * 220 * time)
        apart = np.abs(inner[1, :, 0] - drums[4000:-4000]).max()
        print(f"{name}: {sounds.shape}, rest {rest:.6f}, drums off by {apart:.6f}")
        assert rest < limit
        assert apart < limit


if __name__ == "__main__":
    main(Path(sys.argv[1]))
