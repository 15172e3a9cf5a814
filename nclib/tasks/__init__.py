"""What a data set asks of a network: one label an image, or several.

A task says what the headline metric is, what a hit is, and how the outputs for a split are
summarised. The training loop, records and pages ask it, and never which task it is.
"""

from nclib._names import unknown
from nclib.tasks._multi_label import multi_label
from nclib.tasks._single_label import single_label
from nclib.tasks._task import Judged, StepLabels, Task

TASKS: dict[str, Task] = {task.name: task for task in (single_label, multi_label)}


def get(name: str) -> Task:
    """The task of that name.

    Raises:
        ValueError: if there is none; the near matches are listed.
    """
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]


__all__ = ["TASKS", "Judged", "StepLabels", "Task", "get", "multi_label", "single_label"]
