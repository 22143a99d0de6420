"""``python -m sfa_engine.prep.download``: no downloader is imported."""

from __future__ import annotations

import sys

from sfa_engine.prep.download.fetch import fetch
from sfa_engine.prep.worker import main

sys.exit(main(fetch))
