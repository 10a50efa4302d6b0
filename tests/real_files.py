"""Where the real billing files are."""

from pathlib import Path

REAL_FILES = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
