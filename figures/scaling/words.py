"""What a table of losses at scale shows, and what it does not: the sections of its report."""

from collections.abc import Iterator

import numpy as np

from nasarena.figures.results.ladder import Ladder
from nasarena.figures.results.scaling import IN_WORDS
from nasarena.figures.results.scaling_study import (
    EqualTokens,
    ScalingStudy,
    pairs_of,
    parabola_interval,
)
from nasarena.figures.scaling.blocks import Block, Folded, Points, Rows, Section
from nasarena.figures.stats.intervals import Interval
from nasarena.figures.stats.paired import ALPHA, smallest_p
from nasarena.figures.stats.scaling_intervals import LawStudy

_MISFIT = 1.5  # above, what the law leaves over is more than seeds explain
_MOST_PAIRS, _MOST_ROWS, _MOST_OPEN = 30, 12, 4


def sections(study: ScalingStudy, ladder: Ladder) -> list[Section]:
    """Equal tokens, laws, parabolas, ladder, limits; those with nothing to say are left out."""
    made = (
        Section("tokens", "Equal tokens", list(_all_tokens(study)), "isotoken"),
        Section("parabolas", "Equal FLOPs", list(_parabolas(study)), "isoflop"),
        Section("laws", "Laws and the frontier", list(_laws(study)), "frontier"),
        Section("ladder", "Does the small ranking hold?", list(_ladder(ladder)), "transfer"),
        Section("limits", "What is not shown", [Points(list(_limits(study)))]),
    )
    return [section for section in made if section.blocks]


def headline(study: ScalingStudy, ladder: Ladder | None = None) -> str:
    """Whether any two slopes are shown to differ; without laws, who ranks the largest rung best."""
    laws = study.laws
    if laws is None and ladder is not None and ladder.found:
        return _best_scorer(ladder)
    if laws is None:
        return "No law was fitted: no architecture has enough sizes and numbers of tokens."
    pairs = pairs_of(laws)
    if not pairs:
        return "One architecture has a law: there is no difference to show."
    differences = [laws.difference("slope", *pair) for pair in pairs]
    if all(np.isnan(each.low) for each in differences):
        return "No slopes can be told apart: there is too little noise information for intervals."
    count = sum(_excludes_zero(each) for each in differences)
    doubt = ""
    if laws.misfit > _MISFIT:
        doubt = " But the law misses the losses by more than noise: intervals are too narrow."
    if len(pairs) == 1:
        words = "excludes" if count else "includes"
        return f"The interval of the difference of slopes {words} 0 ({differences[0]}).{doubt}"
    return (
        f"{count} of {len(pairs)} intervals of differences of slopes exclude 0 at 95 %; without "
        f"any true difference {ALPHA * len(pairs):.2g} would.{doubt}"
    )


def _best_scorer(ladder: Ladder) -> str:
    rung = ladder.rungs[-1].name
    on_top = {name: own[rung] for name, own in ladder.found.items() if rung in own}
    if not on_top:
        return f"Nothing ranks the architectures of the largest rung, {rung}."
    best = max(on_top, key=lambda name: on_top[name].whole.kendall.estimate)
    found = on_top[best]
    among = f", the best of {len(on_top)} scorers," if len(on_top) > 1 else ""
    return (
        f"{best}{among} ranks the {found.whole.num_patterns} architectures of the largest rung, "
        f"{rung}, with Kendall's tau {_show(found.whole.kendall)}; it decides "
        f"{found.right.estimate:.0%} of the pairs rightly."
    )


def _laws(study: ScalingStudy) -> Iterator[Block]:
    laws = study.laws
    if laws is None:
        return
    yield (
        f"L = E + A / N^a + B / D^b in nats a token, fitted jointly to {len(laws.cells.group)} "
        f"cells by variable projection. Shared: {study.options.sharing}. Noise: "
        f"{study.options.noise}. Intervals: 95 %, {len(laws.repeats)} resamples of "
        f"{laws.noise_from}."
    )
    head = ["architecture", "E", "a", "b", "allocation b/(a+b)", "slope ab/(a+b)"]
    yield Rows(head, list(_law_rows(laws)))
    yield from _warnings(laws)
    pairs = pairs_of(laws)
    if pairs:
        yield "Differences, the first less the second:"
        yield Rows(["first", "second", "slope", "a", "b"], list(_difference_rows(laws)))
    if len(pairs) > _MOST_PAIRS:
        yield f"The {_MOST_PAIRS} largest of {len(pairs)}; laws.csv has all."


def _law_rows(laws: LawStudy) -> Iterator[list[str]]:
    for number, name in enumerate(laws.laws.names):
        quantities = ("E", "a", "b", "allocation", "slope")
        yield [name, *(_show(laws.of(each, number)) for each in quantities)]


def _difference_rows(laws: LawStudy) -> Iterator[list[str]]:
    names = laws.laws.names
    sizes = {pair: abs(laws.difference("slope", *pair).estimate) for pair in pairs_of(laws)}
    for first, second in sorted(sizes, key=lambda pair: -sizes[pair])[:_MOST_PAIRS]:
        found = [_show(laws.difference(each, first, second)) for each in ("slope", "a", "b")]
        yield [names[first], names[second], *found]


def _warnings(laws: LawStudy) -> Iterator[str]:
    if laws.misfit > _MISFIT:
        yield (
            f"The law does not hold: what it leaves over is {laws.misfit:.1f} times what seeds "
            f"explain. Intervals know of noise alone and are too narrow."
        )
    elif not np.isnan(laws.misfit):
        yield f"What the law leaves over is {laws.misfit:.2f} times what seeds explain."
    for number, name in enumerate(laws.laws.names):
        if laws.laws.E[number] == 0:
            yield f"E of {name} is 0, the least there is: not determined."
        if not laws.laws.A[number] or not laws.laws.B[number]:
            yield f"A term of the law of {name} is gone: its exponent means nothing."


def _parabolas(study: ScalingStudy) -> Iterator[Block]:
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
            label, str(len(frontier.parabolas)), str(outside),
            *(_show(parabola_interval(frontier, place)) for place in (0, 1)),
        ])  # fmt: skip
    head = ["architecture", "budgets", "optima beyond the sizes", "allocation", "slope"]
    yield Rows(head, rows)


def _all_tokens(study: ScalingStudy) -> Iterator[Block]:
    for group in study.equal_tokens:
        least, most = group.parameters
        title = (
            f"Size {group.size}, {group.tokens:,.0f} tokens, {len(group.seeds)} paired "
            f"seeds; parameters differ by up to {most / least - 1:.1%}."
        )
        blocks = list(_token_table(group))
        if len(group.seeds) and smallest_p(len(group.seeds)) >= ALPHA:
            blocks.append(
                f"Nothing is shown: {len(group.seeds)} paired seeds cannot reach p below "
                f"{ALPHA:.2f} in the exact test, whatever the losses are."
            )
        yield Folded(title, blocks, len(study.equal_tokens) <= _MOST_OPEN)


def _token_table(group: EqualTokens) -> Iterator[str | Rows]:
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
        rows.append([name, f"{group.mean(name):.4f}", str(len(group.losses[name])), *words])
    head = ["architecture", "loss", "seeds", f"loss less that of {best}", "p (Holm)"]
    left_off = len(order) - len(rows)
    yield Rows(head, rows)
    if left_off:
        yield f"{left_off} more have a larger loss."


def _has_reference(group: EqualTokens) -> bool:
    """Whether all were compared with one."""
    return len({pair.second for pair in group.comparisons}) == 1 and len(group.losses) > 2


def _ladder(ladder: Ladder) -> Iterator[Block]:
    if not ladder.found:
        return
    rows = [
        [
            scorer, name, str(each.whole.num_patterns),
            _show(each.whole.spearman), _show(each.whole.kendall), _show(each.right),
            f"{_show(each.best.spearman)} of {each.best.num_patterns}", _show(each.right_best),
        ]
        for scorer, own in ladder.found.items()
        for name, each in own.items()
    ]  # fmt: skip
    head = ["scorer", "rung", "architectures", "Spearman", "Kendall", "pairs decided rightly"]
    yield Rows([*head, "Spearman among the best", "pairs among the best"], rows)
    known = [rung for rung in ladder.rungs if not np.isnan(rung.between_seeds)]
    if known:
        taus = ", ".join(f"{rung.name} {rung.between_seeds:.2f}" for rung in known)
        yield f"Kendall's tau between two seeds of a rung: {taus}."


def _limits(study: ScalingStudy) -> Iterator[str]:
    table, rows = study.table, study.table.rows
    yield f"Parameters N are those of {IN_WORDS[table.counted]}."
    ratios = [study.flops_per_product(label) for label in table.labels]
    yield (
        f"FLOPs / (N x D) are {min(ratios):.2f} to {max(ratios):.2f} by architecture; the "
        f"frontier takes them for constant within one."
    )
    yield (
        f"Sizes {rows['params'].min():.3g} to {rows['params'].max():.3g} parameters, "
        f"{rows['flops'].min():.3g} to {rows['flops'].max():.3g} FLOPs: beyond them nothing is "
        f"shown."
    )
    if rows["seed"].nunique() == 1:
        yield "One seed: noise is what the law leaves over, and no test at equal tokens exists."
    elif study.options.budgets_together:
        yield "All budgets of one architecture, size and seed are taken for branches of one run."
    yield from (f"{words}." for words in (*table.assumed, *study.not_shown))


def _excludes_zero(found: Interval) -> bool:
    return found.low > 0 or found.high < 0


def _show(found: Interval) -> str:
    if np.isnan(found.estimate):
        return "-"
    if np.isnan(found.low):
        return f"{found.estimate:.3f}"
    return f"{found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})"
