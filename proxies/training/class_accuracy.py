"""Accuracy averaged over classes, the metric of MAD's published code.

A class's accuracy is the share of its targets that were guessed right. A batch's is the mean over
the classes that stand among its counted targets or guesses: one that was guessed and never right
counts 0. So rare classes weigh as much as frequent ones.

Shapes: P models, B sequences, T positions, V classes.
"""

import torch
from torch import Tensor

from nasarena.proxies.data.task import IGNORE


def class_accuracy(guesses_PBT: Tensor, targets_PBT: Tensor, num_classes: int) -> Tensor:
    """Accuracy averaged over classes of each model on one batch `(P,)`; 0 where nothing counts."""
    P = len(targets_PBT)
    offsets = torch.arange(P, device=targets_PBT.device)[:, None, None] * num_classes
    is_counted = targets_PBT != IGNORE

    def count(classes_PBT: Tensor, where_PBT: Tensor) -> Tensor:
        """How often each model has each class there, `(P, V)`."""
        found = (classes_PBT + offsets)[where_PBT]
        return torch.bincount(found, minlength=P * num_classes).view(P, num_classes)

    asked_PV, guessed_PV = count(targets_PBT, is_counted), count(guesses_PBT, is_counted)
    right_PV = count(targets_PBT, is_counted & (guesses_PBT == targets_PBT))
    shares_PV = right_PV / asked_PV.clamp(min=1)
    num_present_P = (asked_PV + guessed_PV > 0).sum(1)
    return shares_PV.sum(1) / num_present_P.clamp(min=1)
