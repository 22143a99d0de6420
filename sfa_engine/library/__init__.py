"""Tracks, stems, grids and cues as they lie on disk. No sound, no surfaces."""
