"""Puts the folder on the path: its tests share `made_tracks`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
