"""Endings of the sound files that can be imported."""

from __future__ import annotations

SOUND_FILES = frozenset(
    {
        *(".wav", ".w64", ".aif", ".aiff", ".caf", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
        *(".m4a", ".mp4", ".aac", ".mka", ".webm"),
    }
)
