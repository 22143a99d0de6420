"""The demo: synthesised tracks, a mix and a set of them. Its pictures need the extra ``demo``."""
