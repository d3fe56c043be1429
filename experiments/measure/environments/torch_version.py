"""Whether another torch works: the tests of layers and engine under it, and scores beside ours.

It runs under the interpreter that has the torch in question. The scores of a dozen patterns on
`quick`, by the CPU's kernels and through torch, are compared with those of `--reference`, another
interpreter with nasarena. Ends with status 1 where a test failed.

    make test-torch TORCH=2.11.0
"""

import json
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nasarena.experiments.measure.record import record

TESTS = (
    *(
        f"tests/proxies/test_{name}.py"
        for name in (
            "attention", "devices", "gpu_step", "kinds", "mamba2", "memory", "native",
            "population", "train_step", "trained", "trainer",
        )
    ),
    "tests/agents/test_scribe_model.py",
)  # fmt: skip
NUM_PATTERNS = 12
THIS = "nasarena.experiments.measure.environments.torch_version"
Scores = Mapping[str, Mapping[str, float]]  # by step, then by pattern


def measure() -> int:
    """Run the tests, compare the scores, print and keep both; the exit status."""
    import torch

    arguments = [text for text in sys.argv[1:] if text.startswith("--reference=")]
    reference = arguments[0].partition("=")[2] if arguments else sys.executable
    rows = run_tests()
    theirs, version = _reference_scores(reference)
    moved = largest_moves(scores(), theirs)
    counts = {kind: sum(row[kind] for row in rows) for kind in ("passed", "skipped", "failed")}
    name = f"torch-{torch.__version__.partition('+')[0]}"
    summary = {"torch": torch.__version__, "reference": version, **counts, **moved}
    record(name, rows, summary, module="environments.torch_version")
    return int(counts["failed"] > 0)


def run_tests(files: tuple[str, ...] = TESTS) -> list[dict[str, Any]]:
    """How many tests of each file passed, were skipped and failed, under this interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-rs", f"--junitxml={report}", *files]
        subprocess.run(command, check=False)
        return count_tests(report.read_text())


def count_tests(junit: str) -> list[dict[str, Any]]:
    """The counts of a report in JUnit's format, a row for each file."""
    by_file: dict[str, dict[str, Any]] = {}
    for case in ElementTree.fromstring(junit).iter("testcase"):
        name = str(case.get("classname") or case.get("name"))
        row = by_file.setdefault(name, {"tests": name, "passed": 0, "skipped": 0, "failed": 0})
        kinds = {child.tag for child in case}
        failed = bool(kinds & {"failure", "error"})
        row["failed" if failed else "skipped" if "skipped" in kinds else "passed"] += 1
    return list(by_file.values())


def scores() -> dict[str, dict[str, float]]:
    """Scores on `quick` under this interpreter."""
    import torch

    from nasarena.experiments.measure.engine.timed_trainings import proxy_of
    from nasarena.search.proxy import TrialSeed
    from nasarena.search.seeding import stream

    torch.set_num_threads(1)  # small models on busy cores: threads would wait for each other
    found = {}
    for step in ("native", "eager"):
        proxy = proxy_of(("proxy=quick", f"proxy.step={step}"))
        patterns = proxy.space.sample_distinct(NUM_PATTERNS, stream(0, "torch patterns"))
        outcomes = proxy.evaluate(patterns, [TrialSeed(0)] * NUM_PATTERNS)
        found[step] = {
            pattern: float(outcome.score or 0.0)
            for pattern, outcome in zip(patterns, outcomes, strict=True)
        }
    return found


def _reference_scores(interpreter: str) -> tuple[Scores, str]:
    """Scores under another interpreter, and its torch."""
    code = (
        f"import json, torch; from {THIS} import scores; "
        "print(json.dumps([scores(), torch.__version__]))"
    )
    done = subprocess.run([interpreter, "-c", code], check=True, capture_output=True, text=True)
    found, version = json.loads(done.stdout.splitlines()[-1])
    return found, version


def largest_moves(ours: Scores, theirs: Scores) -> dict[str, float]:
    """By step, how far the score of a pattern differs at most."""
    return {
        f"largest_move_{step}": max(
            abs(score - theirs[step][pattern]) for pattern, score in by_pattern.items()
        )
        for step, by_pattern in ours.items()
    }


if __name__ == "__main__":
    sys.exit(measure())
