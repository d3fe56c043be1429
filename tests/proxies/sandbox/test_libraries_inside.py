"""What training needs works behind the fence: PyTorch, workers that load data, a compiler."""

import shutil
import sys
import time
from pathlib import Path

import pytest

from nasarena.proxies.sandbox.levels import why_missing
from nasarena.proxies.sandbox.limits import Limits
from nasarena.proxies.sandbox.mounts import unshare_mounts
from nasarena.proxies.sandbox.runner import Sandbox

LIMITS = Limits(wall_s=120, memory_mib=2048, processes=64)


def run_script(folder: Path, text: str) -> str:
    """What a script says at the level that programs get; forked from a Python with PyTorch."""
    if missing := why_missing("landlock"):
        pytest.skip(missing)
    script = folder / "script.py"
    script.write_text(text)
    command = (sys.executable, "-I", str(script))
    place = (str(script),)
    with Sandbox(command, LIMITS, "landlock", readable=place, script=str(script)) as sandbox:
        output = b"".join(iter(lambda: sandbox.output.read(4096), b""))
        sandbox.wait(time.monotonic() + 120)
        assert sandbox.ending.is_clean, sandbox.errors
    return output.decode()


def has_mounts() -> bool:
    """Whether a child of this process may have mounts of its own, as shared memory needs."""
    import os

    child = os.fork()
    if child == 0:
        os._exit(0 if unshare_mounts() else 1)
    return os.waitpid(child, 0)[1] == 0


def test_pytorch_trains_and_workers_load_data(tmp_path: Path) -> None:
    if not has_mounts():
        pytest.skip("without mounts of its own a sandbox has no shared memory")
    text = """
import torch
from torch.utils.data import DataLoader, TensorDataset
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
data = TensorDataset(torch.arange(64.0))
print(sum(x.sum().item() for (x,) in DataLoader(data, batch_size=8, num_workers=2)))
before = model.weight.clone()
model(torch.ones(8, 4)).sum().backward()
optimizer.step()
print(bool((model.weight != before).all()))
"""
    assert run_script(tmp_path, text).split() == ["2016.0", "True"]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no C compiler")
def test_a_compiler_makes_a_library_that_can_be_loaded(tmp_path: Path) -> None:
    text = """
import ctypes, subprocess
open("add.c", "w").write("int add(int a, int b) { return a + b; }")
subprocess.run(["gcc", "-shared", "-fPIC", "-o", "add.so", "add.c"], check=True)
print(ctypes.CDLL("./add.so").add(40, 2))
"""
    assert run_script(tmp_path, text).split() == ["42"]


def test_jax_computes_where_it_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    text = "import jax.numpy as np, jax; print(float(jax.jit(lambda x: (x * x).sum())(np.ones(4))))"
    assert run_script(tmp_path, text).split() == ["4.0"]
