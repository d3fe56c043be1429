"""Add the elite round to rows that were trained before there was one.

    python -m nasarena.experiments.patternbench.extend rows=FILE out=FILE [seeds=4] [count=200]

The best patterns get their missing trainings with the settings in the header of the rows, by the
engine as it is today; the header says under `elite` which version that was. Between two versions
that differ in the order of their sums, scores differ by rounding.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nasarena.experiments.execution.console import make_console
from nasarena.experiments.execution.pool import results
from nasarena.experiments.execution.provenance import provenance
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.execution.workers import LocalPool
from nasarena.experiments.patternbench.adaptive import elite_round
from nasarena.experiments.patternbench.design import Design
from nasarena.experiments.patternbench.train import Population, settings_of
from nasarena.proxies.patternbench.rows import header_line, read_rows, row_line
from nasarena.search.errors import InvalidSetting, NasArenaError


def extend(source: Path, out: Path, count: int, num_seeds: int) -> Path:
    """Write the rows of `source` and those of the elite round to `out`."""
    header, rows = read_rows(source)
    config = settings_of([f"proxy={header['proxy']}"]).config
    proxy = config.proxy.with_changes(header["settings"])
    design = replace(Design(), num_elite=count, elite_seeds=num_seeds)
    number = 1 + max(row.round for row in rows)
    trainings = elite_round(number, rows, design, config.space)
    size = int(header["settings"]["population"]) or len(trainings)
    tasks = [
        Population(proxy, config.space, config.cache, tuple(trainings[i : i + size]))
        for i in range(0, len(trainings), size)
    ]
    new = [row for part in results(tasks, LocalPool()) for row in part]
    whole = {
        **header,
        "design": {**header["design"], "num_elite": count, "elite_seeds": num_seeds},
        "elite": {
            "version": build_proxy(proxy, config.space, config.cache).version,
            **provenance("python -m nasarena.experiments.patternbench.extend"),
        },
    }
    out.write_text(header_line(whole) + "".join(map(row_line, [*rows, *new])), encoding="utf-8")
    make_console().print(f"{len(new)} trainings added, {out}", soft_wrap=True)
    return out


def main(arguments: Sequence[str]) -> int:
    """Exit code 2 and one line for what a user can cause."""
    words = dict(argument.partition("=")[::2] for argument in arguments)
    try:
        if not {"rows", "out"} <= words.keys():
            raise InvalidSetting("give rows=FILE and out=FILE")
        extend(
            Path(words["rows"]),
            Path(words["out"]),
            int(words.get("count", Design().num_elite)),
            int(words.get("seeds", Design().elite_seeds)),
        )
    except NasArenaError as error:
        print(f"nasarena: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
