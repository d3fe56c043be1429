"""What a searcher does to its process is nobody else's: scores, folders, the comparison."""

from pathlib import Path

import pytest

from nasarena.experiments.commands.cli import main
from nasarena.search.run_folder import read_run

SETTINGS = (
    "proxy=quick proxy.train.steps=3 proxy.train.num_eval=4 proxy.model.width=8 space.depth=4 "
    "seeds=1 budget=trials budget.amount=5 references=false report=false workers=1"
).split()

HOSTILE = {
    "default dtype": "import torch; torch.set_default_dtype(torch.float64)",
    "no gradients": "import torch; torch.set_grad_enabled(False)",
    "another folder": "import os, tempfile; os.chdir(tempfile.mkdtemp())",
    "scores of its own": (
        "from nasarena.proxies.trained import TrainedProxy as T; T.evaluate = lambda *a, **k: 1/0"
    ),
}


def scores(folder: Path) -> dict[str, list[float | None]]:
    return {
        run.parent.parent.name + run.parent.name: [t.score for t in read_run(run.parent).trials()]
        for run in sorted(folder.rglob("run.json"))
    }


def test_a_searcher_cannot_change_what_others_get(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One at a time: all hostile searchers, then the others; what they did stays in no cache."""
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "hostile.py"
    names = [f"hostile_{number}" for number in range(len(HOSTILE))]
    file.write_text(
        "".join(
            f"def {name}(history, space, rng):\n    {deed}\n    return space.sample(rng)\n\n\n"
            for name, deed in zip(names, HOSTILE.values(), strict=True)
        )
    )
    hostile = ",".join(f"{file}:{name}" for name in names)
    main(["compare", *SETTINGS, f"searchers=[{hostile},random]", "name=both"])
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "clean"))
    assert main(["compare", *SETTINGS, "searchers=[random]", "name=alone"]) == 0
    alone = scores(tmp_path / "runs" / "alone")
    both = scores(tmp_path / "runs" / "both")
    assert len(alone) == 1 and all(len(found) >= 5 for found in alone.values())
    assert {name: both[name] for name in alone} == alone


def test_a_searcher_that_catches_every_interruption_costs_its_own_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "endless.py"
    file.write_text(
        "import time\n\n\n"
        "def endless(history, space, rng):\n"
        "    while True:\n"
        "        try:\n"
        "            time.sleep(0.01)\n"
        "        except BaseException:\n"
        "            pass\n"
    )
    settings = ["proxy=additive", "seeds=1", "budget=trials", "budget.amount=6", "report=false"]
    settings += ["references=false", "loop.ask_timeout_s=0.2", "workers=1", "name=both"]
    assert main(["compare", *settings, f"searchers=[{file}:endless,random]"]) != 0
    others = {run.parent.parent.name for run in tmp_path.rglob("run.json")} - {"endless"}
    assert others == {"random"}
    (done,) = (tmp_path / "runs" / "both" / "random").glob("seed-*")
    assert read_run(done).state == "finished"
