"""The data card that ships beside the rows: what they are, where from, how far to trust them."""

import json
from collections.abc import Mapping
from typing import Any

_CARD = """# PatternBench: data card

Real trainings of 16-layer patterns of attention (A), MLP (M) and Mamba-2 (S), and a surrogate
fitted to them. Written by `nasarena.experiments.patternbench.fit`; do not edit.

| | |
|---|---|
| what | {trainings} trainings of {patterns} distinct patterns, {failed} failed |
| seeds | two or more for {repeated} patterns; run seeds 0 to {last_seed}, split `search` |
| proxy | `{proxy}`, version `{version}`; score = minus the loss in nats on text not trained on |
| settings | in the first line of `rows.csv.xz` and below |
| roles | {roles} |
| trained | {date}, commit `{commit}` |
| device | {device} |
| cost | {core_seconds:.0f} s of single-threaded training, as the clock said |
| packages | {packages} |
| text trained on | sources of the Python standard library; none of it is in the files |
| personal data | none |
| licence | Apache-2.0, as the code |

## Columns of `rows.csv.xz`

`pattern`, run `seed`, `role` (reference, fill, test, near, again), `round` (0 planned, later ones
adaptive), `score`, `loss`, `accuracy`, `seconds`, `note` (why a training failed). The order is that
in which trainings ended.

## The surrogate

Winner of the nested cross-validation: **{winner}**; served as a window network distilled from it
(tau {fidelity:.3f} to its teacher on uniform patterns). Error: root mean square against single
trainings, noise included (noise alone: {spread:.4f}).

| kind | nested error | tau, patterns trained twice |
|---|---|---|
{kinds}

On {num_test} test patterns that nothing was fitted to, two trainings each: Kendall's tau
**{tau:.3f}** (95 % interval {tau_low:.3f} to {tau_high:.3f}), noise ceiling **{ceiling:.3f}**
({ceiling_low:.3f} to {ceiling_high:.3f}).
Within the top tenth {top:.3f}, ceiling {top_ceiling:.3f}.

## How not to use it

Scores of patterns that were not trained are a surrogate's: smoother than the truth, and least sure
far from all rows. What wins here has won in a model of `{proxy}`; train it before you believe it.

## Settings

```json
{settings}
```
"""


def card(header: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """Markdown; every number comes from the rows' header or the report of the fit."""
    sample, test = report["sample"], report["test"]
    hardware, packages = header["hardware"], header["packages"]
    return _CARD.format(
        **{key: sample[key] for key in ("trainings", "patterns", "repeated", "failed")},
        last_seed=sample["seeds"] - 1,
        proxy=header["proxy"],
        version=header["version"],
        roles=", ".join(f"{count} {role}" for role, count in sample["roles"].items()),
        date=header["date"],
        commit=header["commit"],
        device=f"{hardware['processor'] or hardware['machine']}, {hardware['cores']} cores",
        core_seconds=sample["core_seconds"],
        packages=", ".join(f"{name} {packages[name]}" for name in ("python", "torch", "numpy")),
        winner=report["winner"],
        fidelity=report["fidelity"]["kendall_tau"],
        spread=report["noise"]["spread"],
        kinds="\n".join(map(_kind, report["kinds"])),
        num_test=test["num_patterns"],
        tau=test["kendall_tau"],
        tau_low=test["tau_interval"][0],
        tau_high=test["tau_interval"][1],
        ceiling=test["noise_ceiling"],
        ceiling_low=test["ceiling_interval"][0],
        ceiling_high=test["ceiling_interval"][1],
        top=test["tau_top_tenth"],
        top_ceiling=test["ceiling_top_tenth"],
        settings=json.dumps(header["settings"], indent=1),
    )


def _kind(kind: Mapping[str, Any]) -> str:
    tau = f"{kind['repeated']['kendall_tau']:.3f}" if kind["repeated"] else ""
    return f"| {kind['name']} | {kind['error']:.5f} | {tau} |"
