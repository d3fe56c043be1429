"""The proxies that train: their settings, and the proxy that these build.

What the names `quick`, `text`, `modern` and `mad` change of the defaults stands in
`experiments/conf/proxy/*.yaml`.
"""

from dataclasses import fields
from typing import TYPE_CHECKING

from nasarena.proxies.data.text_settings import TextSettings
from nasarena.proxies.mad.settings import MadSettings
from nasarena.proxies.trained_settings import TrainedSettings
from nasarena.search.settings import settings
from nasarena.search.space import PatternSpace

if TYPE_CHECKING:
    from nasarena.proxies.bits_per_byte import BitsPerByteProxy
    from nasarena.proxies.sweep import SweepProxy
    from nasarena.proxies.trained import TrainedProxy


@settings
class TextProxySettings(TrainedSettings):
    """A small language model, trained on text."""

    data: TextSettings = TextSettings()

    def build(self, space: PatternSpace, name: str) -> "BitsPerByteProxy":
        """The proxy; its text is read now. Raises as `text_task`."""
        from nasarena.proxies.bits_per_byte import BitsPerByteProxy
        from nasarena.proxies.data.text_data import text_task

        task = text_task(self.data, self.train.batch_size)
        return BitsPerByteProxy(name, space, task, _training(self))


@settings
class MadProxySettings(TrainedSettings):
    """The synthetic tasks of MAD, one model trained on each."""

    data: MadSettings = MadSettings()

    def build(self, space: PatternSpace, name: str) -> "TrainedProxy | SweepProxy":
        """The proxy of the tasks, or of all their published settings."""
        from nasarena.proxies.mad.tasks import mad_sweep, mad_tasks
        from nasarena.proxies.sweep import SweepProxy
        from nasarena.proxies.trained import TrainedProxy

        tasks = mad_tasks(self.data.tasks, self.data.changes)
        if not self.data.sweep:
            return TrainedProxy(name, space, tasks, _training(self))
        every = [setting for task in tasks for setting in mad_sweep(task.name)]
        return SweepProxy(name, space, every, _training(self))


def _training(whole: TrainedSettings) -> TrainedSettings:
    """Without the data, which a task is made of."""
    return TrainedSettings(
        **{one.name: getattr(whole, one.name) for one in fields(TrainedSettings)}
    )
