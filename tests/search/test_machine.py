"""What a machine has and can do is read from where Linux says it, within a container's limits."""

from pathlib import Path

import pytest

from nasarena.search import machine
from nasarena.search.machine import free_memory, multiplies_bfloat16, num_cores

INTEL = "model name\t: some\nflags\t\t: fpu avx512f avx512_bf16 amx_tile\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd i8mm bf16\n"
OLD = "model name\t: a bf16x of no use\nflags\t\t: fpu avx512f avx512_vnni\n"


@pytest.mark.parametrize(("said", "does"), [(INTEL, True), (ARM, True), (OLD, False)])
def test_products_in_bfloat16(
    said: str, does: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "_CPUINFO", file)
    assert not multiplies_bfloat16()  # nobody says
    file.write_text(said)
    assert multiplies_bfloat16() is does


@pytest.mark.parametrize(
    ("said", "cores"),
    [("200000 100000", 2), ("250000 100000", 3), ("9900000 100000", 8), ("max 1", 8)],
)
def test_a_container_grants_time_of_so_many_cores(
    said: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda process: range(8))
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    assert num_cores() == 8  # no container
    (tmp_path / "cpu.max").write_text(f"{said}\n")
    assert num_cores() == cores


def test_memory_that_holds_files_is_free_within_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable: 8000 kB\n")
    monkeypatch.setattr(machine, "_MEMINFO", meminfo)
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    assert free_memory() == 8000 * 1024
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("4000000\n")
    (tmp_path / "memory.stat").write_text("anon 1000\ninactive_file 3000000\n")
    assert free_memory() == 5_000_000 - 4_000_000 + 3_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory() == 8000 * 1024
