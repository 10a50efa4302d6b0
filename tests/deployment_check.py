"""`check --deploy` with the settings of a real installation; no warning is allowed."""

import os
import subprocess
import sys

PRODUCTION = {
    "DATABASE_URL": "postgres://kcx:secret@db.example.com/kcx",
    "SECRET_KEY": "check-only-" + "k9Z!f3q7" * 8,
    "ALLOWED_HOSTS": "kcx.example.com",
    "DEBUG": "",
}

if __name__ == "__main__":
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    sys.exit(subprocess.run(command, env={**os.environ, **PRODUCTION}, check=False).returncode)
