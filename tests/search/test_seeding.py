"""Named streams: fixed by their name, different from each other, the same in any process."""

import subprocess
import sys

from nasarena.search.seeding import stable_hash, stream, stream_seed


def test_a_stream_depends_on_seed_and_every_part_of_its_name() -> None:
    draws = {
        stream(seed, *role).integers(2**63)
        for seed in (0, 1)
        for role in [("proxy",), ("proxy", "init"), ("proxy", "init", 0), ("proxy", "init", "0")]
    }
    assert len(draws) == 8
    assert stream(3, "a").integers(2**63) == stream(3, "a").integers(2**63)


def test_names_do_not_run_into_each_other() -> None:
    assert stable_hash("ab", "c") != stable_hash("a", "bc")
    assert stable_hash("1") != stable_hash(1)


def test_integer_seeds_fit_into_63_bits() -> None:
    seeds = [stream_seed(run, "torch") for run in range(1000)]
    assert len(set(seeds)) == 1000
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_hashes_agree_across_processes_whatever_python_hashes_strings_to() -> None:
    code = "from nasarena.search.seeding import stable_hash; print(stable_hash('proxy', 7))"
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert answers == {f"{stable_hash('proxy', 7)}\n"}
