"""`scaling.md`: what a table of losses at scale shows, and what it does not."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from nasarena.figures.report.markdown import escape
from nasarena.figures.results.ladder import Ladder
from nasarena.figures.results.scaling import IN_WORDS
from nasarena.figures.results.scaling_study import (
    EqualTokens,
    ScalingStudy,
    pairs_of,
    parabola_interval,
)
from nasarena.figures.stats.intervals import Interval
from nasarena.figures.stats.paired import ALPHA, smallest_p
from nasarena.figures.stats.scaling_intervals import LawStudy

_MISFIT = 1.5  # above, what the law leaves over is more than seeds explain
_MOST_PAIRS, _MOST_ROWS = 30, 12


def markdown(study: ScalingStudy, ladder: Ladder, command: str) -> str:
    """The report: a sentence, then laws, parabolas, equal tokens, ladder, limits."""
    lines = [f"# Scaling of {escape(study.table.name)}", "", f"**{escape(headline(study))}**"]
    for title, body in (
        ("Laws", _laws(study)),
        ("Parabolas", _parabolas(study)),
        ("Equal tokens", _all_tokens(study)),
        ("Does the small ranking hold?", _ladder(ladder)),
        ("What was matched, and what is not shown", _limits(study)),
    ):
        found = list(body)
        if found:
            lines += ["", f"## {title}", "", *found]
    lines += ["", f"Command: `{command}`  ", f"Data: {study.table.data_hash}"]
    return "\n".join(lines) + "\n"


def headline(study: ScalingStudy) -> str:
    """Whether any two slopes are shown to differ."""
    laws = study.laws
    if laws is None:
        return "No law was fitted: no architecture has enough sizes and numbers of tokens."
    pairs = pairs_of(laws)
    if not pairs:
        return "One architecture has a law: there is no difference to show."
    differences = [laws.difference("slope", *pair) for pair in pairs]
    if all(np.isnan(each.low) for each in differences):
        return "No slopes can be told apart: there is too little noise information for intervals."
    count = sum(_excludes_zero(each) for each in differences)
    if len(pairs) == 1:
        words = "excludes" if count else "includes"
        return f"The interval of the difference of slopes {words} 0 ({differences[0]})."
    return (
        f"{count} of {len(pairs)} intervals of differences of slopes exclude 0 at 95 %; without "
        f"any true difference {ALPHA * len(pairs):.2g} would."
    )


def _laws(study: ScalingStudy) -> Iterator[str]:
    laws = study.laws
    if laws is None:
        return
    yield (
        f"L = E + A / N^a + B / D^b in nats a token, fitted jointly to {len(laws.cells.group)} "
        f"cells by variable projection. Shared: {study.options.sharing}. Noise: "
        f"{study.options.noise}. Intervals: 95 %, {len(laws.repeats)} resamples of "
        f"{laws.noise_from}."
    )
    yield from ("", *_table(["architecture", "E", "a", "b", "allocation b/(a+b)", "slope ab/(a+b)"],
                            _law_rows(laws)), "")  # fmt: skip
    yield from _warnings(laws)
    pairs = pairs_of(laws)
    if pairs:
        yield from ("", "Differences, the first less the second:", "")
        yield from _table(["first", "second", "slope", "a", "b"], _difference_rows(laws))
    if len(pairs) > _MOST_PAIRS:
        yield f"\nThe {_MOST_PAIRS} largest of {len(pairs)}; `laws.csv` has all."


def _law_rows(laws: LawStudy) -> Iterator[list[str]]:
    for number, name in enumerate(laws.laws.names):
        quantities = ("E", "a", "b", "allocation", "slope")
        yield [escape(name), *(_show(laws.of(each, number)) for each in quantities)]


def _difference_rows(laws: LawStudy) -> Iterator[list[str]]:
    names = laws.laws.names
    sizes = {pair: abs(laws.difference("slope", *pair).estimate) for pair in pairs_of(laws)}
    for first, second in sorted(sizes, key=lambda pair: -sizes[pair])[:_MOST_PAIRS]:
        found = [_show(laws.difference(each, first, second)) for each in ("slope", "a", "b")]
        yield [escape(names[first]), escape(names[second]), *found]


def _warnings(laws: LawStudy) -> Iterator[str]:
    if laws.misfit > _MISFIT:
        yield (
            f"The law does not hold: what it leaves over is {laws.misfit:.1f} times what seeds "
            f"explain. Intervals know of noise alone and are too narrow.\n"
        )
    elif not np.isnan(laws.misfit):
        yield f"What the law leaves over is {laws.misfit:.2f} times what seeds explain.\n"
    for number, name in enumerate(laws.laws.names):
        if laws.laws.E[number] == 0:
            yield f"E of {escape(name)} is 0, the least there is: not determined.\n"
        if not laws.laws.A[number] or not laws.laws.B[number]:
            yield f"A term of the law of {escape(name)} is gone: its exponent means nothing.\n"


def _parabolas(study: ScalingStudy) -> Iterator[str]:
    if not study.parabolas:
        return
    yield (
        "The fit of the literature, for comparison; biased even without noise (arXiv 2603.22339). "
        "Its slope is that of the whole loss, without a floor, and not the slope above. Intervals "
        "know of noise, not of the bias."
    )
    rows = []
    for label, frontier in study.parabolas.items():
        outside = sum(not each.is_inside for each in frontier.parabolas)
        rows.append([
            escape(label), str(len(frontier.parabolas)), str(outside),
            *(_show(parabola_interval(frontier, place)) for place in (0, 1)),
        ])  # fmt: skip
    head = ["architecture", "budgets", "optima beyond the sizes", "allocation", "slope"]
    yield from ("", *_table(head, rows))


def _all_tokens(study: ScalingStudy) -> Iterator[str]:
    for group in study.equal_tokens:
        least, most = group.parameters
        yield (
            f"Size {escape(group.size)}, {group.tokens:,.0f} tokens, {len(group.seeds)} paired "
            f"seeds; parameters differ by up to {most / least - 1:.1%}."
        )
        yield from ("", *_token_table(group), "")
        if len(group.seeds) and smallest_p(len(group.seeds)) >= ALPHA:
            yield (
                f"Nothing is shown: {len(group.seeds)} paired seeds cannot reach p < {ALPHA:.2f} "
                f"in the exact test, whatever the losses are.\n"
            )


def _token_table(group: EqualTokens) -> list[str]:
    order = sorted(group.losses, key=group.mean)
    best = group.comparisons[0].second if _has_reference(group) else order[0]
    against = {pair.second: pair.swap() for pair in group.comparisons if pair.first == best}
    against |= {pair.first: pair for pair in group.comparisons if pair.second == best}
    rows = []
    for name in order[:_MOST_ROWS]:
        pair = against.get(name)
        words = ["", ""]
        if pair is not None:
            words = [_show(-pair.difference), f"{pair.p_holm:.3g}"]
        rows.append([escape(name), f"{group.mean(name):.4f}", str(len(group.losses[name])), *words])
    head = ["architecture", "loss", "seeds", f"loss less that of {escape(best)}", "p (Holm)"]
    left_off = len(order) - len(rows)
    return _table(head, rows) + ([f"\n{left_off} more have a larger loss."] if left_off else [])


def _has_reference(group: EqualTokens) -> bool:
    """Whether all were compared with one."""
    return len({pair.second for pair in group.comparisons}) == 1 and len(group.losses) > 2


def _ladder(ladder: Ladder) -> Iterator[str]:
    if not ladder.found:
        return
    rows = [
        [
            escape(scorer), escape(name), str(each.whole.num_patterns),
            _show(each.whole.spearman), _show(each.whole.kendall), _show(each.right),
            f"{_show(each.best.spearman)} of {each.best.num_patterns}", _show(each.right_best),
        ]
        for scorer, own in ladder.found.items()
        for name, each in own.items()
    ]  # fmt: skip
    head = ["scorer", "rung", "architectures", "Spearman", "Kendall", "pairs decided rightly"]
    yield from _table([*head, "Spearman among the best", "pairs among the best"], rows)
    known = [rung for rung in ladder.rungs if not np.isnan(rung.between_seeds)]
    if known:
        taus = ", ".join(f"{escape(rung.name)} {rung.between_seeds:.2f}" for rung in known)
        yield f"\nKendall's tau between two seeds of a rung: {taus}."


def _limits(study: ScalingStudy) -> Iterator[str]:
    table, rows = study.table, study.table.rows
    yield f"- Parameters N are those of {IN_WORDS[table.counted]}."
    ratios = [study.flops_per_product(label) for label in table.labels]
    yield (
        f"- FLOPs / (N x D) are {min(ratios):.2f} to {max(ratios):.2f} by architecture; the "
        f"frontier takes them for constant within one."
    )
    yield (
        f"- Sizes {rows['params'].min():.3g} to {rows['params'].max():.3g} parameters, "
        f"{rows['flops'].min():.3g} to {rows['flops'].max():.3g} FLOPs: beyond them nothing is "
        f"shown."
    )
    if rows["seed"].nunique() == 1:
        yield "- One seed: noise is what the law leaves over, and no test at equal tokens exists."
    elif study.options.budgets_together:
        yield "- All budgets of one architecture, size and seed are taken for branches of one run."
    yield from (f"- {escape(words)}." for words in (*table.assumed, *study.not_shown))


def _excludes_zero(found: Interval) -> bool:
    return found.low > 0 or found.high < 0


def _show(found: Interval) -> str:
    if np.isnan(found.estimate):
        return "-"
    if np.isnan(found.low):
        return f"{found.estimate:.3f}"
    return f"{found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
