"""`python -m tests.crash`: break KCX's workers at every step; count what is lost, doubled or half-visible."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import django

from kcx.simulated_aws.server import SimulatedAws
from tests.crash.proxy import CuttableProxy


def main() -> int:
    """Exit status 1 where anything was found wrong."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="kcx-crash-") as folder, SimulatedAws() as aws:
        proxy = CuttableProxy(int(aws.endpoint_url.rpartition(":")[2]))
        os.environ |= {
            **aws.environment(),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}",
            "KCX_DATA_DIR": folder,
            "DJANGO_SETTINGS_MODULE": "kcx.settings",
            "LOG_LEVEL": "CRITICAL",
        }
        os.environ.pop("DATABASE_URL", None)
        django.setup()
        from tests.crash.whole_run import whole_run  # noqa: PLC0415  # with the settings made above

        try:
            return whole_run(aws, proxy, Path(folder) / "postgres", arguments)
        finally:
            proxy.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="crashes of a worker (default: %(default)s)")
    parser.add_argument(
        "--cluster-kills", type=int, default=10, help="more of them, in real clusters (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the order, the places and the rows")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
