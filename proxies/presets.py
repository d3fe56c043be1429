"""A trained proxy from plain settings: what `experiments/conf/proxy/*.yaml` are turned into."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from nasarena.search.errors import InvalidSetting
from nasarena.search.space import PatternSpace

if TYPE_CHECKING:
    from nasarena.proxies.sweep import SweepProxy
    from nasarena.proxies.trained import TrainedProxy, TrainedSettings

Settings = TypeVar("Settings")


@dataclass(frozen=True, slots=True)
class MadSettings:
    """`proxy.data` of MAD: `experiments/conf/proxy/mad.yaml` says what each setting means."""

    tasks: Sequence[str] | None = None
    changes: Mapping[str, Mapping[str, Any]] | None = field(default_factory=dict)
    sweep: bool = False

    def __post_init__(self) -> None:
        if self.sweep and self.changes:
            raise InvalidSetting(
                f"data.sweep goes through the published settings, data.changes makes others: "
                f"give one of them, got both ({', '.join(self.changes)})"
            )


def build_trained_proxy(
    space: PatternSpace,
    name: str,
    data: Mapping[str, Any],
    model: Mapping[str, Any],
    train: Mapping[str, Any],
    score_by: str = "loss",
    population: int = 0,
    device: str = "cpu",
    precision: str = "auto",
    step: str = "auto",
) -> "TrainedProxy | SweepProxy":
    """The proxy `name`; `data.task` is `text` or `mad`, the rest of `data` goes to the task.

    Raises InvalidSetting for a setting that the task, the model or the trainer does not have.
    """
    from nasarena.proxies.models.model_shape import ModelShape
    from nasarena.proxies.trained import TrainedSettings
    from nasarena.proxies.training.train_settings import TrainSettings

    shape = _build_settings(ModelShape, model, "proxy.model")
    settings = TrainedSettings(
        shape,
        _build_settings(TrainSettings, train, "proxy.train"),
        score_by,
        population,
        device,
        precision,
        step,
    )
    task, rest = data.get("task"), {key: value for key, value in data.items() if key != "task"}
    if task == "text":
        return _of_text(name, space, rest, settings)
    if task == "mad":
        return _of_mad(name, space, rest, settings)
    raise InvalidSetting(f"proxy.data.task must be text or mad, got {task!r}")


def _of_text(
    name: str, space: PatternSpace, data: Mapping[str, Any], settings: "TrainedSettings"
) -> "TrainedProxy":
    from nasarena.proxies.bits_per_byte import BitsPerByteProxy
    from nasarena.proxies.data.text_data import TextSettings, text_task

    task = text_task(_build_settings(TextSettings, data, "proxy.data"), settings.train.batch_size)
    return BitsPerByteProxy(name, space, task, settings)


def _of_mad(
    name: str, space: PatternSpace, data: Mapping[str, Any], settings: "TrainedSettings"
) -> "TrainedProxy | SweepProxy":
    from nasarena.proxies.mad.tasks import mad_sweep, mad_tasks
    from nasarena.proxies.sweep import SweepProxy
    from nasarena.proxies.trained import TrainedProxy

    mad = _build_settings(MadSettings, data, "proxy.data")
    tasks = mad_tasks(mad.tasks, mad.changes)
    if not mad.sweep:
        return TrainedProxy(name, space, tasks, settings)
    every = [setting for task in tasks for setting in mad_sweep(task.name)]
    return SweepProxy(name, space, every, settings)


def _build_settings(cls: type[Settings], values: Mapping[str, Any], where: str) -> Settings:
    known = [field.name for field in fields(cls) if field.init]  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            near = get_close_matches(name, known, n=3) or known
            raise InvalidSetting(f"{where} has no setting {name!r}; it has {', '.join(near)}")
    return cls(**values)
