"""What a user may choose of the workers: names that the configuration and the commands share."""

from __future__ import annotations

NO_ENGINE = "none"  # instead of an engine: the track stays in one piece
ENGINES = ("auto", "demucs", "embedded", "sketch", "lalalai")  # of separation
DEVICES = ("auto", "cpu", "cuda", "mps")  # that a model computes on
FEATURES = ("own", "librosa")  # engines of the spectral features
QUALITIES = ("best", "128k", "192k", "256k", "320k")  # of downloads
ANALYSIS_VERSION = 7  # rises when the same file would get other values
