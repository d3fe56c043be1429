"""Fit PatternBench's surrogate to its rows: compare kinds, choose, distil, model the noise, pack.

    python -m nasarena.experiments.patternbench.fit [rows=FILE] [data=FOLDER]

`rows` is what the training script wrote (default: the newest of runs/patternbench); `data` is where
the proxy reads (default: the package's own folder). Written are the rows, compressed; the
surrogate; `fit.json` with every number of the comparison; and the data card. Test patterns are
looked at once, at the end.
"""

import json
import lzma
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.patternbench.data_card import card
from nasarena.experiments.patternbench.distillation import Lesson, distill, fidelity
from nasarena.experiments.patternbench.features import Floats, digits_of
from nasarena.experiments.patternbench.kinds import KINDS, Kind, Predictor
from nasarena.experiments.patternbench.nested import Say, Verdict, cross_validate, final_predictor
from nasarena.experiments.patternbench.noise_model import noise_of
from nasarena.experiments.patternbench.quality import Quality, quality
from nasarena.experiments.patternbench.sample import Sample, sample_of
from nasarena.experiments.settings.config import evaluate_config
from nasarena.proxies.patternbench.benchmark import DATA, ROWS, SURROGATE
from nasarena.proxies.patternbench.network import WindowNetwork
from nasarena.proxies.patternbench.rows import Row, header_line, read_rows, row_line
from nasarena.proxies.patternbench.surrogate import Costs, Noise, Surrogate
from nasarena.search.errors import InvalidSetting, NasArenaError
from nasarena.search.proxy import Proxy
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

REPORT, CARD = "fit.json", "CARD.md"


def fit(
    rows_file: Path,
    data: Path,
    say: Say = print,
    kinds: Sequence[Kind] = KINDS,
    lesson: Lesson | None = None,
) -> dict[str, Any]:
    """Everything from rows to the shipped files; the content of `fit.json`."""
    header, rows = read_rows(rows_file)
    sample = sample_of(rows)
    say(f"{len(sample.scores)} trainings of {len(sample.patterns)} patterns")
    verdicts = cross_validate(sample, say, kinds)
    for verdict in verdicts:
        say(f"{verdict.name}: nested error {verdict.error:.5f}")
    teacher = final_predictor(verdicts[0].name, sample, kinds)
    network = distill(teacher, sample, lesson or Lesson())
    codes = sample.digits @ 3 ** np.arange(15, -1, -1)
    predicted = network.scores(codes)
    noise = noise_of(sample, predicted, verdicts[0].predicted)
    surrogate = Surrogate(network, noise, costs_of(_proxy_of(header)))
    report = {
        "proxy": {key: header[key] for key in ("proxy", "version", "date", "commit", "hardware")},
        "sample": _count_rows(rows, sample),
        "kinds": [_summarize_verdict(verdict, sample) for verdict in verdicts],
        "winner": verdicts[0].name,
        "fidelity": _fidelity(network, teacher),
        "test": asdict(
            quality(predicted[find_test_places(sample)], pairs_of(sample, find_test_places(sample)))
        ),
        "test_teacher": asdict(_teacher_quality(teacher, sample)),
        "noise": _summarize_noise(noise, sample),
    }
    _write(data, header, rows, surrogate, report)
    return report


def find_test_places(sample: Sample) -> NDArray[np.int64]:
    """Places of the test patterns that have two trainings."""
    return np.flatnonzero(sample.is_test & (sample.counts >= 2))


def pairs_of(sample: Sample, places: NDArray[np.int64]) -> Floats:
    """The first two trainings of patterns, `(patterns, 2)`."""
    first = np.searchsorted(sample.members, places)  # members are in order
    return np.stack([sample.scores[first], sample.scores[first + 1]], axis=1)


def costs_of(proxy: Proxy) -> Costs:
    """Base and terms per letter of a trained proxy's costs, which are linear in the letters."""
    base = proxy.cost("")
    letters = [proxy.cost(letter) for letter in "AMS"]
    flops = [cost.flops - base.flops for cost in letters]
    seconds = [cost.device_seconds - base.device_seconds for cost in letters]
    return Costs(
        base.flops,
        (flops[0], flops[1], flops[2]),
        base.tokens,
        base.device_seconds,
        (seconds[0], seconds[1], seconds[2]),
    )


def _proxy_of(header: Mapping[str, Any]) -> Proxy:
    """The trained proxy of the rows, for its costs; in its present version."""
    config = evaluate_config([f"proxy={header['proxy']}"])
    options = {**config.proxy.options, **header["settings"]}
    return build_proxy(replace(config.proxy, options=options), config.space, cache=False)


def _fidelity(network: WindowNetwork, teacher: Predictor) -> dict[str, float]:
    """How closely the served network follows its teacher, on 4,096 uniform patterns."""
    rng = stream(0, "patternbench fidelity")
    fresh = digits_of([PatternSpace("AMS", 16).sample(rng) for _ in range(4096)])
    return dict(zip(("kendall_tau", "rms"), fidelity(network, teacher, fresh), strict=True))


def _summarize_noise(noise: Noise, sample: Sample) -> dict[str, Any]:
    return {
        "spread": float(np.sqrt(np.nanmean(sample.variances))),
        "discrepancy": noise.discrepancy,
        "offset_spread": noise.offset_spread,
        "log_variance": noise.log_variance.tolist(),
    }


def _teacher_quality(teacher: Any, sample: Sample) -> Quality:
    places = find_test_places(sample)
    return quality(teacher(sample.digits[places]), pairs_of(sample, places))


def _summarize_verdict(verdict: Verdict, sample: Sample) -> dict[str, Any]:
    """One kind in numbers: error against single trainings, tau where there are two."""
    places = np.flatnonzero((sample.counts >= 2) & np.isfinite(verdict.predicted))
    many = len(places) >= 10
    found = quality(verdict.predicted[places], pairs_of(sample, places)) if many else None
    return {
        "name": verdict.name,
        "error": verdict.error,
        "fold_errors": list(verdict.fold_errors),
        "settings": [dict(setting) for setting in verdict.chosen],
        "repeated": asdict(found) if found else None,
    }


def _count_rows(rows: Sequence[Row], sample: Sample) -> dict[str, Any]:
    roles = [row.role for row in rows]
    return {
        "trainings": len(rows),
        "patterns": len({row.pattern for row in rows}),
        "repeated": int((sample.counts >= 2).sum()),
        "failed": sum(row.score is None for row in rows),
        "seeds": len(sample.offsets),
        "roles": {role: roles.count(role) for role in dict.fromkeys(roles)},
        "best": float(sample.scores.max()),
        "core_seconds": float(sum(row.seconds for row in rows)),
    }


def _write(
    data: Path,
    header: Mapping[str, Any],
    rows: Sequence[Row],
    surrogate: Surrogate,
    report: Mapping[str, Any],
) -> None:
    data.mkdir(parents=True, exist_ok=True)
    words = [word for word in header["command"].split() if not word.startswith("out=")]
    text = header_line({**header, "command": " ".join(words)}) + "".join(map(row_line, rows))
    (data / ROWS).write_bytes(lzma.compress(text.encode(), preset=9))
    surrogate.save(data / SURROGATE)
    (data / REPORT).write_text(json.dumps(report, indent=1) + "\n")
    (data / CARD).write_text(card(header, report))


def _newest_rows() -> Path:
    files = sorted(Path("runs/patternbench").glob("*.csv"), key=lambda file: file.stat().st_mtime)
    if not files:
        raise InvalidSetting("no rows in runs/patternbench; train first, or give rows=FILE")
    return files[-1]


def main(arguments: Sequence[str]) -> int:
    """Exit code 2 and one line for what a user can cause."""
    words = dict(argument.partition("=")[::2] for argument in arguments)
    try:
        for word in words.keys() - {"rows", "data"}:
            raise InvalidSetting(f"no setting is called {word!r}; expected rows=FILE, data=FOLDER")
        rows = Path(words["rows"]) if "rows" in words else _newest_rows()
        report = fit(rows, Path(words.get("data", DATA)))
    except NasArenaError as error:
        print(f"nasarena: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report["test"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
