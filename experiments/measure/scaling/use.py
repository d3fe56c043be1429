"""What small trained models can do and cost: the results of `downstream` and `inference`, kept.

    nasarena scale name=use patterns=[Llama 3.2,Nemotron-H] sizes=[w64] budgets=[500_000] \\
      data.length=128 report=false
    nasarena downstream CELL questions=25 max_length=256        # for each cell
    nasarena inference CELL CELL contexts=[256,1024]
    python -m nasarena.experiments.measure.scaling.use runs/use [--save]

Every `downstream.json` and `inference.csv` below the folder is read; nothing is trained.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from nasarena.experiments.measure.record import record
from nasarena.proxies.scaled.cell_folder import read_results

_KEPT = ("pattern", "parameters", "context", "batch", "prefill_tokens_per_s",
         "decode_tokens_per_s", "cache_bytes", "state_bytes")  # fmt: skip


def measure(folder: Path) -> None:
    """Print, and keep if asked to."""
    tasks = list(task_rows(folder))
    shown = sum(row["verdict"] == "above chance" for row in tasks)
    summary = {"tasks": len(tasks), "above_chance": shown}
    record("downstream", tasks, summary, module="scaling.use")
    speeds = speed_rows(folder)
    record("inference", speeds, {"rows": len(speeds)}, module="scaling.use")


def task_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """A row for each model and task; the verdict is the better one of both accuracies."""
    for file in sorted(folder.rglob("downstream.json")):
        found = json.loads(file.read_text())
        result = read_results(file.parent)[-1]
        for task in found["tasks"]:
            both = [task[name] for name in ("accuracy", "normalized") if task[name]]
            yield {
                "pattern": found["model"]["pattern"],
                "tokens": result.tokens,
                "held-out bits a byte": result.bits_per_byte,
                "task": task["task"],
                "questions": task["num_questions"],
                "chance": task["chance"],
                "accuracy": task["accuracy"]["share"]["estimate"],
                "low": task["accuracy"]["share"]["low"],
                "high": task["accuracy"]["share"]["high"],
                "bits a byte": task["bits_per_byte"],
                "verdict": min(both, key=lambda each: float(each["p_value"]))["verdict"],
            }


def speed_rows(folder: Path) -> list[dict[str, Any]]:
    """A row for each model and context."""
    tables = [pd.read_csv(file) for file in sorted(folder.rglob("inference.csv"))]
    rows = pd.concat(tables)[list(_KEPT)].to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


if __name__ == "__main__":
    measure(Path(sys.argv[1]))
