"""The settings of MAD: which tasks, and what is changed of their published baseline."""

from typing import Literal

from pydantic import Field

from nasarena.proxies.mad.tasks import TaskName, mad_tasks
from nasarena.search.errors import InvalidSetting
from nasarena.search.settings import settings


@settings
class MadSettings:
    """`proxy.data` of MAD."""

    task: Literal["mad"] = Field("mad", description="what is trained on; text is proxy=text")
    tasks: tuple[TaskName, ...] | None = Field(None, description="names of tasks; null: all six")
    sweep: bool = Field(
        False,
        description="true: all 66 published settings instead of the six baselines, averaged by "
        "task",
    )
    changes: dict[TaskName, dict[str, int | float]] = Field(
        default_factory=dict,
        description="of a task's published settings, as proxy.data.changes.compression.length=64",
    )

    def __post_init__(self) -> None:
        if self.sweep and self.changes:
            raise InvalidSetting(
                f"sweep goes through the published settings, data.changes makes others: "
                f"give one of them, got both ({', '.join(self.changes)})"
            )
        mad_tasks(self.tasks, self.changes)  # refuses a change that no task has
