"""The data card that ships beside the rows: what they are, where from, how far to trust them."""

import json
from collections.abc import Mapping, Sequence
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
| trained on | {data} |
{elite}| personal data | none |
| licence | Apache-2.0, as the code |

## Columns of `rows.csv.xz`

`pattern`, run `seed`, `role` (reference, fill, test, near, again), `round` (0 planned, later ones
adaptive), `score`, `loss`, `accuracy`, `seconds`, `note` (why a training failed). The order is that
in which trainings ended.

## The surrogate

Winner of the nested cross-validation: **{winner}**; served as a window network distilled from it
(tau {fidelity:.3f} to its teacher on uniform patterns). Error: root mean square against single
trainings, noise included (noise alone: {fitted_spread:.4f}).

| kind | nested error |
|---|---|
{kinds}

Test patterns, that no surrogate was fitted to, two trainings each: Kendall's tau against the mean
of the two, beside its noise ceiling, with 95 % intervals. The two samples are judged apart: over
both together tau is higher than in either.

| test patterns | | tau | noise ceiling | within the top tenth | its ceiling |
|---|---|---|---|---|---|
{tests}

## Noise and error

The standard deviation of a training, its run seed's offset apart, is {spread:.4f}, more or less by
pattern. This is fitted to the {by_design} patterns that were repeated whatever they scored. Those
trained again because they had scored high are left out: their first trainings were lucky.

The surrogate's own error on the test patterns is **{discrepancy:.4f}** (95 % interval
{discrepancies}): the root of what it misses the mean of two trainings by, as a mean square, less
the noise of that mean. The smaller it is, the less do records move true scores. Differences of true
scores below it are no facts about `{proxy}`.

## Costs

FLOPs and tokens are counted. Device seconds are those of the engine at commit `{cost_commit}`,
measured {cost_date} on {cost_device}, as seconds of the processor in one thread:
{seconds}. The load average was
{load:.1f}; above 1 other work shared the caches, which makes them all longer.

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
    sample, noise, costs = report["sample"], report["noise"], report["costs"]
    packages, (low, high) = header["packages"], noise["discrepancy_interval"]
    return _CARD.format(
        **{key: sample[key] for key in ("trainings", "patterns", "repeated", "failed")},
        last_seed=sample["seeds"] - 1,
        proxy=header["proxy"],
        version=header["version"],
        data=_data(header["settings"].get("data", {})),
        elite=_elite(header),
        roles=", ".join(f"{count} {role}" for role, count in sample["roles"].items()),
        date=header["date"],
        commit=header["commit"],
        device=_device(header["hardware"]),
        core_seconds=sample["core_seconds"],
        packages=", ".join(f"{name} {packages[name]}" for name in ("python", "torch", "numpy")),
        winner=report["winner"],
        fidelity=report["fidelity"]["kendall_tau"],
        spread=noise["spread"],
        fitted_spread=noise["fitted_spread"],
        kinds="\n".join(f"| {kind['name']} | {kind['error']:.5f} |" for kind in report["kinds"]),
        tests="\n".join(_tests(report)),
        by_design=sample["repeated_by_design"],
        discrepancy=noise["discrepancy"],
        discrepancies=f"{low:.4f} to {high:.4f}",
        cost_commit=costs["commit"],
        cost_date=costs["date"],
        load=costs["load"],
        cost_device=_device(costs["hardware"]),
        seconds=_seconds(costs),
        settings=json.dumps(header["settings"], indent=1),
    )


def _data(data: Mapping[str, Any]) -> str:
    """What the models were trained on."""
    if data.get("tasks"):
        return f"made by MAD's tasks: {', '.join(data['tasks'])}; no text"
    if data.get("path") or data.get("dataset") or data.get("shards"):
        return "a text of the user's own; none of it is in these files"
    text = {
        "prose": "addresses of presidents of the United States to Congress, 1790 to 2021",
    }.get(data.get("shipped", ""), "sources of the Python 3.11.7 standard library")
    return f"{text}; none of it is in these files"


def _elite(header: Mapping[str, Any]) -> str:
    """A row on the elite round, where it was trained by another version than the rest."""
    if "elite" not in header:
        return ""
    elite = header["elite"]
    return (
        f"| elite round | trained {elite['date']} by version `{elite['version']}`, commit "
        f"`{elite['commit']}`, whose scores differ by rounding |\n"
    )


def _tests(report: Mapping[str, Any]) -> list[str]:
    """One line of the table for each sample of test patterns there is."""
    named = {"uniform": report["test"], "of A and M alone": report["test_slice"]}
    return [
        f"| {found['num_patterns']} | {name} "
        f"| **{found['kendall_tau']:.3f}** ({_limits(found['tau_interval'])}) "
        f"| {found['noise_ceiling']:.3f} ({_limits(found['ceiling_interval'])}) "
        f"| {found['tau_top_tenth']:.3f} | {found['ceiling_top_tenth']:.3f} |"
        for name, found in named.items()
        if found
    ]


def _limits(interval: Sequence[float]) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}"


def _device(hardware: Mapping[str, Any]) -> str:
    return f"{hardware['processor'] or hardware['machine']}, {hardware['cores']} cores"


def _seconds(costs: Mapping[str, Any]) -> str:
    letters = (
        f"{s:.4f} a layer {letter}" for letter, s in zip("AMS", costs["seconds"], strict=True)
    )
    return ", ".join([f"{costs['seconds_base']:.4f} for the rest", *letters])
