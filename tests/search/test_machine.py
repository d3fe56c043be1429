"""What a CPU can do is read from where Linux says it."""

from pathlib import Path

import pytest

from nasarena.search import machine
from nasarena.search.machine import multiplies_bfloat16

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
