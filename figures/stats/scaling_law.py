"""L(N, D) = E + A / N^a + B / D^b, fitted jointly to several architectures by variable projection.

For fixed exponents the law is linear in E, A and B, none of which is negative: a non-negative least
squares problem (Lawson and Hanson), solved exactly. What is left is a search over the exponents
alone: a coarse grid for each architecture, then Levenberg and Marquardt on the exponents of all of
them, whose Jacobian is Kaufman's (1975) of the projected residual. Approach 3 of Hoffmann et al.
(arXiv 2203.15556) solves the same problem over all five parameters and stops in local minima.

What architectures share is a switch (`Sharing`). The default shares E, the entropy of the text,
which no model goes below; without it a difference of exponents is mostly a difference of E.

Noise: errors of losses are independent between trainings, without bias, and of one standard
deviation in nats (`noise="equal"`) or one proportional to the loss (`"relative"`); a cell's mean
counts by its seeds. For tables with outliers `"huber"` replaces squares of relative errors by
Huber's loss, linear beyond 1.345 robust standard deviations, by reweighting. N is whatever the
caller counts as parameters. Logs are natural; N and D are divided by their geometric means within
the fit, so that columns are of one size.

Shapes: C cells, G architectures, F floors (1 where shared).
"""

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from scipy.optimize import least_squares, nnls

from nasarena.figures.stats.intervals import Floats
from nasarena.figures.stats.scaling_cells import Cells
from nasarena.search.errors import InvalidSetting

Sharing = Literal["nothing", "floor", "floor and exponents"]
Noise = Literal["equal", "relative", "huber"]

MIN_CELLS = 6
_MOST_REWEIGHTINGS = 30
# Exponents that the grid begins from; the local search may leave it.
_GRID = np.geomspace(0.05, 1.6, 11)
# Beyond these an exponent says that its term is flat, or gone, over the sizes there are.
LEAST, MOST = 0.01, 4.0


@dataclass(frozen=True, slots=True)
class Laws:
    """One law for each architecture, all `(G,)`: L = E + A / N^a + B / D^b, nats a token."""

    names: tuple[str, ...]
    E: Floats
    A: Floats
    a: Floats
    B: Floats
    b: Floats

    @property
    def allocation(self) -> Floats:
        """The optimal N grows as FLOPs^(b / (a + b)), if FLOPs are proportional to N x D."""
        return self.b / (self.a + self.b)

    @property
    def slope(self) -> Floats:
        """On the frontier the loss above E falls as FLOPs^-(a b / (a + b)): steeper is larger."""
        return self.a * self.b / (self.a + self.b)

    def losses(self, group: int, params: Floats, tokens: Floats) -> Floats:
        """Losses of one architecture at N and D of any shape."""
        g = group
        return np.asarray(
            self.E[g] + self.A[g] * params ** -self.a[g] + self.B[g] * tokens ** -self.b[g]
        )

    def optimum(self, group: int, products: Floats) -> tuple[Floats, Floats]:
        """N and D of least loss where N x D is given, by setting the derivative to 0."""
        a, b = self.a[group], self.b[group]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = a * self.A[group] / (b * self.B[group])
            params = (ratio * products**b) ** (1 / (a + b))
            return params, products / params


def fit_laws(
    cells: Cells,
    sharing: Sharing = "floor",
    noise: Noise = "equal",
    losses: Floats | None = None,
    start: Laws | None = None,
) -> Laws:
    """The laws of least squared error; `losses` `(C,)` replace the means of the cells.

    From `start` there is no grid: for repeats of a bootstrap. Raises InvalidSetting where an
    architecture has fewer cells than a law has parameters, or only one N or one D.
    """
    target = cells.means if losses is None else losses
    problem = _Problem(cells, sharing, noise, target)
    if start is None:
        refusals = filter(None, (refusal_of(cells, group) for group in range(len(cells.names))))
        for words in refusals:
            raise InvalidSetting(words)
        begin = problem.begin_from_grid()
    else:
        begin = problem.pack(start)
    logs = _search(problem, np.log(begin))
    for _ in range(_MOST_REWEIGHTINGS if noise == "huber" else 0):
        weights = _huber_weights(problem.residuals(logs) / problem.extra)
        problem = _Problem(cells, sharing, noise, target, np.sqrt(weights))
        former, logs = logs, _search(problem, logs)
        if np.abs(logs - former).max() < 1e-4:
            break
    return problem.laws(logs)


def _huber_weights(errors: Floats) -> Floats:
    """By which a weighted square has the slope of Huber's loss; 1 for errors that are not large."""
    size = np.abs(errors)
    limit = 1.345 * 1.4826 * np.median(size)
    return np.asarray(limit / np.maximum(size, limit)) if limit > 0 else np.ones(len(errors))


def _search(problem: "_Problem", logs: Floats) -> Floats:
    """The logs of the best exponents near `logs`."""
    return np.asarray(
        least_squares(
            problem.residuals, logs, problem.jacobian, method="lm", xtol=1e-8, ftol=1e-12
        ).x
    )


class _Problem:
    """The projected problem: residuals and Jacobian as functions of the logs of exponents."""

    def __init__(
        self,
        cells: Cells,
        sharing: Sharing,
        noise: Noise,
        losses: Floats,
        extra: Floats | float = 1.0,
    ) -> None:
        self.extra = extra  # roots of further weights, `(C,)`
        self._names, self._group, self._sharing = cells.names, cells.group, sharing
        self._log_units = np.log(cells.params).mean(), np.log(cells.tokens).mean()
        self._x = np.log(cells.params) - self._log_units[0]
        self._y = np.log(cells.tokens) - self._log_units[1]
        self._is_in_GC = np.arange(len(cells.names))[:, None] == cells.group
        scale = np.ones(len(losses)) if noise == "equal" else losses
        self._roots = np.sqrt(cells.num_seeds) / scale * extra
        self._losses = losses * self._roots
        shared = self._roots[None] * np.ones((1, 1))
        self._floors = shared if sharing != "nothing" else self._is_in_GC * self._roots
        self._last: tuple[Floats, Floats, Floats] | None = None

    def begin_from_grid(self) -> Floats:
        """For each architecture the exponents of the grid that fit best, with an E of its own."""
        best = []
        for is_in in self._is_in_GC:
            roots, losses = self._roots[is_in], self._losses[is_in]
            rows_x = roots * np.exp(-_GRID[:, None] * self._x[is_in])
            rows_y = roots * np.exp(-_GRID[:, None] * self._y[is_in])
            errors = {
                (i, j): nnls(np.column_stack([roots, rows_x[i], rows_y[j]]), losses)[1]
                for i, j in product(range(len(_GRID)), repeat=2)
            }
            i, j = min(errors, key=errors.__getitem__)
            best.append((_GRID[i], _GRID[j]))
        found = np.array(best)
        if self._sharing == "floor and exponents":
            found = np.exp(np.log(found).mean(axis=0, keepdims=True))
        return np.asarray(found.T.ravel())

    def pack(self, laws: Laws) -> Floats:
        """The exponents of laws as one vector: all a, then all b."""
        size = 1 if self._sharing == "floor and exponents" else len(self._names)
        return np.concatenate([laws.a[:size], laws.b[:size]])

    def residuals(self, logs: Floats) -> Floats:
        """Weighted residuals `(C,)` after the best non-negative coefficients."""
        terms, coefficients = self._project(logs)
        return np.asarray(coefficients @ terms - self._losses)

    def jacobian(self, logs: Floats) -> Floats:
        """Kaufman's: how the terms move, less what their coefficients can take back, `(C, K)`."""
        terms, coefficients = self._project(logs)
        a, b = self._exponents(logs)
        num_floors, size = len(self._floors), len(self._names)
        moved_a = -a[:, None] * self._x * terms[num_floors : num_floors + size]
        moved_b = -b[:, None] * self._y * terms[num_floors + size :]
        moved = np.concatenate([moved_a, moved_b]) * coefficients[num_floors:, None]
        if self._sharing == "floor and exponents":
            moved = np.stack([moved[:size].sum(axis=0), moved[size:].sum(axis=0)])
        basis = np.linalg.qr(terms[coefficients > 0].T)[0]
        return np.asarray((moved - (moved @ basis) @ basis.T).T)

    def laws(self, logs: Floats) -> Laws:
        """The laws at these exponents, in parameters and tokens."""
        _, coefficients = self._project(logs)
        a, b = self._exponents(logs)
        size = len(self._names)
        floors, A, B = np.split(coefficients, [len(self._floors), len(self._floors) + size])
        E = np.broadcast_to(floors, (size,)) if len(floors) == 1 else floors
        units = np.exp(a * self._log_units[0]), np.exp(b * self._log_units[1])
        return Laws(self._names, E.copy(), A * units[0], a, B * units[1], b)

    def _exponents(self, logs: Floats) -> tuple[Floats, Floats]:
        a, b = np.clip(np.exp(logs.reshape(2, -1)), LEAST, MOST)
        size = len(self._names)
        return np.broadcast_to(a, (size,)).copy(), np.broadcast_to(b, (size,)).copy()

    def _project(self, logs: Floats) -> tuple[Floats, Floats]:
        """Weighted terms `(F + 2 G, C)` at these exponents, and their best coefficients."""
        if self._last is not None and np.array_equal(self._last[0], logs):
            return self._last[1], self._last[2]
        a, b = self._exponents(logs)
        scaled = self._is_in_GC * self._roots
        own_x, own_y = np.exp(-a[self._group] * self._x), np.exp(-b[self._group] * self._y)
        terms = np.concatenate([self._floors, scaled * own_x, scaled * own_y])
        coefficients = nnls(terms.T, self._losses)[0]
        self._last = logs.copy(), terms, coefficients
        return terms, coefficients


def refusal_of(cells: Cells, group: int) -> str:
    """Why an architecture can have no law, in a line; empty where it can."""
    own = cells.group == group
    sizes, tokens = len(np.unique(cells.params[own])), len(np.unique(cells.tokens[own]))
    if own.sum() >= MIN_CELLS and min(sizes, tokens) >= 3:
        return ""
    return (
        f"a law of {cells.names[group]} needs at least {MIN_CELLS} cells with 3 sizes and 3 "
        f"numbers of tokens, got {own.sum()} with {sizes} and {tokens}"
    )
