"""How good the shipped surrogate is: what the fit wrote down, and the test patterns one by one.

`fit.json` holds the comparison of kinds and the final judgement; the pairs behind that judgement
are recomputed here from the rows, so that a figure can show every test pattern. Test patterns were
never fitted to. Plain values throughout: a comparison keeps them in its folder.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nasarena.proxies.patternbench.rows import Row
from nasarena.proxies.patternbench.surrogate import Surrogate
from nasarena.search.errors import ProxyFailed

REPORT = "fit.json"
SLICE = "AM"  # letters of the smaller space that has a share, and test patterns, of its own


def surrogate_facts(
    data: Path, surrogate: Surrogate, rows: Mapping[str, Sequence[Row]]
) -> dict[str, Any]:
    """Quality on test patterns, kinds compared, noise and sample; pairs: `collect_held_out`.

    `test` is of the uniform test patterns, `test_slice` of those of the smaller space, or None.

    Raises ProxyFailed where `fit.json` is missing or is not what the fit writes.
    """
    path = data / REPORT
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        return {
            "winner": report["winner"],
            "test": report["test"],
            "slice": SLICE,
            "test_slice": report["test_slice"],
            "kinds": [
                {key: kind[key] for key in ("name", "error", "fold_errors")}
                for kind in report["kinds"]
            ],
            "spread": report["noise"]["spread"],
            "fitted_spread": report["noise"]["fitted_spread"],
            "discrepancy": report["noise"]["discrepancy"],
            "discrepancy_interval": report["noise"]["discrepancy_interval"],
            "sample": {key: report["sample"][key] for key in ("trainings", "patterns", "repeated")},
            "proxy": {key: report["proxy"][key] for key in ("proxy", "version", "date")},
            "held_out": collect_held_out(surrogate, rows),
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProxyFailed(
            f"{path} must be the report that `make patternbench` wrote; "
            f"reading it failed ({' '.join(str(error).split())})"
        ) from error


def collect_held_out(
    surrogate: Surrogate, rows: Mapping[str, Sequence[Row]]
) -> list[tuple[str, float, float, float]]:
    """Pattern, predicted score and the first two trainings of each test pattern that has two.

    Trainings are freed of the offset of their run seed, as the fit does; ordered by pattern.
    """
    offsets = surrogate.noise.offsets
    found = []
    for pattern, own in sorted(rows.items()):
        scored = sorted((row for row in own if row.score is not None), key=lambda row: row.seed)
        if len(scored) < 2 or not any(row.role == "test" for row in scored):
            continue
        first, second = (float((row.score or 0.0) - offsets[row.seed]) for row in scored[:2])
        predicted = surrogate.network.raw(pattern) * surrogate.network.grid
        found.append((pattern, float(predicted), first, second))
    return found
