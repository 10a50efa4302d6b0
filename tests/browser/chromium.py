"""Where the browser of the tests and of the pictures is."""

import shutil


def chromium_path() -> str | None:
    """Debian's Chromium, or better its headless shell: the same pages in three quarters of the time."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")
