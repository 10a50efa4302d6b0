"""The crash test's table, as Markdown."""

from collections import Counter

from tests.crash.cluster import Broken, KilledInCluster
from tests.crash.harness import Found, summary

KINDS = ["lost", "doubled", "half visible", "changed", "false story", "hung", "raised"]


def report(found: list[Found], in_cluster: list[KilledInCluster], seconds: float, seed: int) -> str:
    """Per fault, then per place: how many crashes, and how many of each kind of fault they caused."""
    crashes = [one for one in found if one.reached]
    beside, reloads = sum(one.case.rival for one in crashes), sum(one.case.reload for one in crashes)
    of_these = f"{beside} of them beside a second worker, {reloads} of reloads"
    lines = [
        f"Seed {seed}; {seconds:.0f} s; {len(crashes)} crashes, {of_these}.",
        _of_the_wire([one for one in crashes if one.cuts]),
        "",
        "| crashed | crashes | " + " | ".join(KINDS) + " | most ticks to recover |",
        "|---|---:|" + "---:|" * (len(KINDS) + 1),
    ]
    for name, counted in summary(found):
        if counted["crashes"]:
            lines.append(_line(name, counted))
    for what in Broken:
        these = [one for one in in_cluster if one.what is what]
        counted = Counter(fault.partition(":")[0] for one in these for fault in one.faults)
        counted["crashes"] = len(these)
        counted["ticks"] = max((one.ticks for one in these), default=0)
        lines.append(_line(what, counted))
    return "\n".join(lines)


def _of_the_wire(cut: list[Found]) -> str:
    answers, failed = sum(one.cuts for one in cut), sum(one.failed > 0 for one in cut)
    return (
        f"{answers} answers of S3 were cut in {len(cut)} of them; in {failed} a load gave up for the while."
    )


def _line(name: str, counted: Counter[str]) -> str:
    figures = [counted["crashes"], *(counted[kind] for kind in KINDS), counted["ticks"]]
    return f"| {name} | " + " | ".join(str(figure) for figure in figures) + " |"
