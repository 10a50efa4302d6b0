"""`python -m tests.fuzz`: damage files for minutes; exits 1 where KCX hangs, dies, or loads what is wrong."""

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.children import Job, judged
from tests.fuzz.originals import Original, generated, real
from tests.fuzz.verdicts import FINDINGS

FINDINGS_FILE = Path(__file__).resolve().parent.parent.parent / "var" / "fuzz-findings.txt"
MUTANTS_PER_CHILD = 50
REAL_SHARE = 0.1  # they take a hundred times as long


def main() -> None:
    """Damage, judge, print a table."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=time.time_ns(), help="default: the time")
    parser.add_argument(
        "--replay", nargs=2, metavar=("FILE", "SEED"), help="one mutant, as a finding names it"
    )
    options = parser.parse_args()
    small, large = generated(), real()
    if options.replay:
        name, seed = options.replay
        one = next(original for original in small + large if original.name == name)
        sys.exit(report(Counter(), list(judged([(one, int(seed))]))))
    counts: Counter[str] = Counter()
    findings: list[tuple[Job, str]] = []
    chance, end = random.Random(options.seed), time.monotonic() + 60 * options.minutes
    while time.monotonic() < end:
        for job, found in judged(jobs(chance, small, large)):
            counts[found] += 1
            findings += [(job, found)] if found.startswith(FINDINGS) else []
    sys.exit(report(counts, findings))


def jobs(chance: random.Random, small: list[Original], large: list[Original]) -> list[Job]:
    """The mutants of one child: of small files, or of one real one."""
    one = chance.choice(large) if large and chance.random() < REAL_SHARE else None
    count = 5 if one else MUTANTS_PER_CHILD
    return [(one or chance.choice(small), chance.getrandbits(63)) for _ in range(count)]


def report(counts: Counter[str], findings: list[tuple[Job, str]]) -> int:
    """Print what came of the mutants and keep the findings; answers the exit code."""
    sys.stdout.write(f"{counts.total():>8}  mutants\n")
    for found, count in counts.most_common():
        sys.stdout.write(f"{count:>8}  {found}\n")
    lines = [f"{original.name} {seed}: {found}\n" for (original, seed), found in findings]
    sys.stdout.writelines(lines)
    if lines:
        FINDINGS_FILE.parent.mkdir(exist_ok=True)
        FINDINGS_FILE.write_text("".join(lines))
    return 1 if any(found.startswith(FINDINGS) for _, found in findings) else 0


if __name__ == "__main__":
    main()
