"""Fit PatternBench's surrogate to its rows: compare kinds, choose, distil, model the noise, pack.

    python -m nasarena.experiments.patternbench.fit [rows=FILE] [data=FOLDER]
    python -m nasarena.experiments.patternbench.fit only=noise [data=FOLDER]

`data` may be a new folder: that of a landscape of one's own, for `nasarena compare proxy=suite
proxy.landscapes=[quick,FOLDER]`.

`rows` is what the training script wrote (default: the newest of runs/patternbench); `data` is where
the proxy reads (default: the package's own folder). Written are the rows, compressed; the
surrogate; `fit.json` with every number of the comparison; the data card; and `landscape.json`. Test
patterns are looked at once, at the end. `only=noise` takes rows, network and comparison as they are
in `data` and works out the rest anew: noise, discrepancy, costs, the judgement on test patterns,
the card.
"""

import json
import lzma
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nasarena.experiments.patternbench.costs import measure_costs
from nasarena.experiments.patternbench.data_card import card
from nasarena.experiments.patternbench.difficulty import describe
from nasarena.experiments.patternbench.distillation import Lesson, distill, fidelity
from nasarena.experiments.patternbench.features import Digits, digits_of
from nasarena.experiments.patternbench.kinds import KINDS, Kind
from nasarena.experiments.patternbench.nested import Say, cross_validate, final_predictor
from nasarena.experiments.patternbench.noise_model import noise_of
from nasarena.experiments.patternbench.report import KIND_FACTS, account, count_rows, kind_facts
from nasarena.experiments.patternbench.sample import Sample, sample_of
from nasarena.proxies.patternbench.benchmark import DATA, ROWS, SURROGATE
from nasarena.proxies.patternbench.held_out import REPORT
from nasarena.proxies.patternbench.network import WindowNetwork
from nasarena.proxies.patternbench.rows import Row, header_line, read_rows, row_line
from nasarena.proxies.patternbench.surrogate import Costs, Surrogate
from nasarena.search.errors import InvalidSetting, NasArenaError, ProxyFailed
from nasarena.search.seeding import stream
from nasarena.search.space import PatternSpace

CARD = "CARD.md"


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
    likeness = fidelity(network, teacher, _fresh_digits())
    report = {
        "proxy": {key: header[key] for key in ("proxy", "version", "date", "commit", "hardware")},
        "sample": count_rows(rows, sample),
        "kinds": [kind_facts(verdict) for verdict in verdicts],
        "winner": verdicts[0].name,
        "fidelity": dict(zip(("kendall_tau", "rms"), likeness, strict=True)),
    }
    _write_rows(data, header, rows)
    return _finish(data, header, sample, network, measure_costs(header), report)


def fit_noise(data: Path, say: Say = print) -> dict[str, Any]:
    """Everything but the network and the comparison of kinds, which stay as they are in `data`.

    Raises ProxyFailed where the files of an earlier fit are missing or damaged.
    """
    header, rows = read_rows(data / ROWS)
    network = Surrogate.load(data / SURROGATE).network
    sample = sample_of(rows)
    try:
        earlier = json.loads((data / REPORT).read_text(encoding="utf-8"))
        kinds = [{key: kind[key] for key in KIND_FACTS} for kind in earlier["kinds"]]
        kept = {key: earlier[key] for key in ("proxy", "winner", "fidelity")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProxyFailed(
            f"{data / REPORT} must be the report of an earlier fit; reading it failed "
            f"({' '.join(str(error).split())}); fit without only=noise"
        ) from error
    say(f"noise of {len(sample.repeats)} patterns that were repeated whatever they scored")
    report = {**kept, "sample": count_rows(rows, sample), "kinds": kinds}
    return _finish(data, header, sample, network, measure_costs(header), report)


def _finish(
    data: Path,
    header: Mapping[str, Any],
    sample: Sample,
    network: WindowNetwork,
    costs: Costs,
    report: Mapping[str, Any],
) -> dict[str, Any]:
    """Model the noise of a network and write all files but the rows."""
    predicted = network.scores(sample.digits @ 3 ** np.arange(15, -1, -1))
    noise = noise_of(sample, predicted)
    whole = {**report, **account(sample, predicted, noise, costs)}
    Surrogate(network, noise, costs).save(data / SURROGATE)
    (data / REPORT).write_text(json.dumps(whole, indent=1) + "\n")
    (data / CARD).write_text(card(header, whole))
    return whole


def _write_rows(data: Path, header: Mapping[str, Any], rows: Sequence[Row]) -> None:
    data.mkdir(parents=True, exist_ok=True)
    words = [word for word in header["command"].split() if not word.startswith("out=")]
    text = header_line({**header, "command": " ".join(words)}) + "".join(map(row_line, rows))
    (data / ROWS).write_bytes(lzma.compress(text.encode(), preset=9))


def _fresh_digits() -> Digits:
    rng = stream(0, "patternbench fidelity")
    return digits_of([PatternSpace("AMS", 16).sample(rng) for _ in range(4096)])


def _newest_rows() -> Path:
    files = sorted(Path("runs/patternbench").glob("*.csv"), key=lambda file: file.stat().st_mtime)
    if not files:
        raise InvalidSetting("no rows in runs/patternbench; train first, or give rows=FILE")
    return files[-1]


def main(arguments: Sequence[str]) -> int:
    """Exit code 2 and one line for what a user can cause."""
    words = dict(argument.partition("=")[::2] for argument in arguments)
    try:
        report = _run(words)
        describe(_folder(words))
    except NasArenaError as error:
        print(f"nasarena: {error}", file=sys.stderr)
        return 2
    print(json.dumps({key: report[key] for key in ("test", "test_slice", "noise")}))
    return 0


def _run(words: Mapping[str, str]) -> dict[str, Any]:
    """The fit that the command line asks for."""
    for word in words.keys() - {"rows", "data", "only"}:
        raise InvalidSetting(
            f"no setting is called {word!r}; expected rows=FILE, data=FOLDER, only=noise"
        )
    data = _folder(words)
    if "only" not in words:
        return fit(Path(words["rows"]) if "rows" in words else _newest_rows(), data)
    if words["only"] != "noise":
        raise InvalidSetting(f"only must be noise, got {words['only']!r}")
    if "rows" in words:
        raise InvalidSetting("only=noise reads the rows in data; leave out rows=FILE")
    return fit_noise(data)


def _folder(words: Mapping[str, str]) -> Path:
    return Path(words.get("data", DATA))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
