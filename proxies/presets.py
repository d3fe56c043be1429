"""A trained proxy from plain settings: what `experiments/conf/proxy/*.yaml` are turned into."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from nasarena.search.errors import InvalidSetting
from nasarena.search.space import PatternSpace

if TYPE_CHECKING:
    from nasarena.proxies.task import Task
    from nasarena.proxies.trained import TrainedProxy

Settings = TypeVar("Settings")


def trained(
    space: PatternSpace,
    name: str,
    data: Mapping[str, Any],
    model: Mapping[str, Any],
    train: Mapping[str, Any],
    score_by: str = "loss",
    population: int = 16,
    device: str = "cpu",
) -> "TrainedProxy":
    """The proxy `name`; `data.task` is `text` or `mad`, the rest of `data` goes to the task.

    Raises InvalidSetting for a setting that the task, the model or the trainer does not have.
    """
    from nasarena.proxies.model_shape import ModelShape
    from nasarena.proxies.trained import TrainedProxy, TrainedSettings
    from nasarena.proxies.trainer import TrainSettings

    settings = TrainedSettings(
        _filled(ModelShape, model, "proxy.model"),
        _filled(TrainSettings, train, "proxy.train"),
        score_by,
        population,
        device,
    )
    return TrainedProxy(name, space, _tasks(data), settings)


def _tasks(data: Mapping[str, Any]) -> Sequence["Task"]:
    task = data.get("task")
    if task == "text":
        from nasarena.proxies.text import TextTask

        return [TextTask(data.get("path"), data["length"])]
    if task == "mad":
        from nasarena.proxies.mad import mad_tasks

        return mad_tasks(data.get("tasks"), data.get("changes"))
    raise InvalidSetting(f"proxy.data.task must be text or mad, got {task!r}")


def _filled(cls: type[Settings], values: Mapping[str, Any], where: str) -> Settings:
    known = [field.name for field in fields(cls) if field.init]  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            near = get_close_matches(name, known, n=3) or known
            raise InvalidSetting(f"{where} has no setting {name!r}; it has {', '.join(near)}")
    return cls(**values)
