"""Networks of one hidden layer trained side by side: `linear(x) + sum_u v_u relu(w_u x + b_u)`.

Members differ in their initial weights and in the order of the examples; one product computes them
all. Letters: K members, N examples, F features, U units.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasarena.experiments.patternbench.features import Floats
from nasarena.search.seeding import stream

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class TrainPlan:
    """AdamW with one cycle of the rate; `decay` is its weight decay."""

    members: int
    units: int
    decay: float
    epochs: int
    batch: int
    rate: float = 0.004
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Networks:
    """Weights of all members, freed of every standardisation: they apply to plain features."""

    hidden_KFU: NDArray[np.float64]
    bias_KU: NDArray[np.float64]
    out_KU: NDArray[np.float64]
    linear_KF: NDArray[np.float64]
    intercept_K: NDArray[np.float64]

    def predict(self, features_NF: Floats) -> Floats:
        """Mean over the members, `(N,)`."""
        parts = np.array_split(features_NF, max(1, len(features_NF) // 20_000))
        return np.concatenate([self._part(part) for part in parts])

    def _part(self, features_NF: Floats) -> Floats:
        hidden_KNU = np.maximum(features_NF @ self.hidden_KFU + self.bias_KU[:, None], 0.0)
        values_KN = np.einsum("knu,ku->kn", hidden_KNU, self.out_KU)
        values_KN += self.linear_KF @ features_NF.T + self.intercept_K[:, None]
        return np.asarray(values_KN.mean(axis=0))


def train_networks(features_NF: Floats, scores_N: Floats, plan: TrainPlan) -> Networks:
    """Train on standardised features and scores; deterministic on one machine."""
    import torch

    centre, scale = scores_N.mean(), scores_N.std() or 1.0
    middle_F, spread_F = features_NF.mean(axis=0), features_NF.std(axis=0)
    spread_F = np.where(spread_F > 1e-9, spread_F, np.inf)  # what never varies is not heard
    inputs_NF = torch.tensor((features_NF - middle_F) / spread_F, dtype=torch.float32)
    targets_N = torch.tensor((scores_N - centre) / scale, dtype=torch.float32)
    weights = [part.double().numpy() for part in _optimise(inputs_NF, targets_N, plan)]
    hidden_KFU, bias_KU, out_KU, linear_KF, intercept_K = weights
    plain_KFU = hidden_KFU / spread_F[:, None]
    plain_KF = linear_KF / spread_F
    return Networks(
        plain_KFU,
        bias_KU - np.einsum("f,kfu->ku", middle_F, plain_KFU),
        out_KU * scale,
        plain_KF * scale,
        (intercept_K - plain_KF @ middle_F) * scale + centre,
    )


def _optimise(
    inputs_NF: "torch.Tensor", targets_N: "torch.Tensor", plan: TrainPlan
) -> list["torch.Tensor"]:
    import torch

    weights = _initial(inputs_NF.shape[1], plan)
    decayed, free = [weights[0], weights[2], weights[3]], [weights[1], weights[4]]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": plan.decay}, {"params": free, "weight_decay": 0.0}],
        lr=plan.rate,
    )
    steps = max(1, len(targets_N) // plan.batch)
    total = plan.epochs * steps
    rng = stream(plan.seed, "network order")
    for epoch in range(plan.epochs):
        orders = np.stack([rng.permutation(len(targets_N)) for _ in range(plan.members)])
        for step in range(steps):
            part = slice(step * plan.batch, (step + 1) * plan.batch)
            chosen_KB = torch.from_numpy(orders[:, part])
            for group in optimizer.param_groups:
                group["lr"] = plan.rate * _share((epoch * steps + step) / total)
            loss = (_values(weights, inputs_NF[chosen_KB]) - targets_N[chosen_KB]) ** 2
            optimizer.zero_grad()
            loss.mean(dim=1).sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return [weight.detach() for weight in weights]


def _initial(num_features: int, plan: TrainPlan) -> list["torch.Tensor"]:
    """He-like hidden weights, small output weights, no linear part yet."""
    import torch

    rng = stream(plan.seed, "network weights")
    shape = (plan.members, num_features, plan.units)
    arrays = [
        rng.standard_normal(shape) / np.sqrt(num_features),
        0.1 * rng.standard_normal((plan.members, plan.units)),
        rng.standard_normal((plan.members, plan.units)) / plan.units,
        np.zeros((plan.members, num_features)),
        np.zeros(plan.members),
    ]
    return [torch.tensor(a, dtype=torch.float32, requires_grad=True) for a in arrays]


def _values(weights: list["torch.Tensor"], inputs_KBF: "torch.Tensor") -> "torch.Tensor":
    hidden, bias, out, linear, intercept = weights
    hidden_KBU = (inputs_KBF @ hidden + bias[:, None]).relu()
    values_KB = (hidden_KBU @ out[:, :, None] + inputs_KBF @ linear[:, :, None])[:, :, 0]
    return values_KB + intercept[:, None]


def _share(done: float) -> float:
    """Rate over training: linear warm-up for a tenth, then a cosine down to 0."""
    return done / 0.1 if done < 0.1 else float(0.5 * (1 + np.cos(np.pi * (done - 0.1) / 0.9)))
