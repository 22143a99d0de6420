"""The library: tracks, stems, grids, cues and playlists in SQLite. No sound, no surfaces."""
