"""The key of a machine without settings: one for all its processes, however many start first."""

import multiprocessing
from pathlib import Path

from kcx.local import local_secret_key

ROUNDS = 20


def keys_of_first_starts(folder: Path) -> set[str]:
    with multiprocessing.get_context("spawn").Pool(3) as starts:
        return {
            key
            for number in range(ROUNDS)
            for key in _same(starts.map(local_secret_key, [folder / str(number)] * 3, chunksize=1))
        }


def _same(keys: list[str]) -> set[str]:
    assert len(set(keys)) == 1, keys
    return set(keys)


def test_first_starts_side_by_side_have_one_whole_key(tmp_path: Path) -> None:
    keys = keys_of_first_starts(tmp_path)
    assert len(keys) == ROUNDS
    assert {len(key) for key in keys} == {50}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*/*")} == {0o600}
    assert [path.name for path in (tmp_path / "0").iterdir()] == ["secret_key"]
