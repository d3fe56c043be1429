"""A pool of Slurm jobs, submitted through submitit: one job for each task.

Which job runs when and where, Slurm decides; at most `num_workers` are with it at a time. What jobs
are given and say lies in a folder that all nodes share. A job does its task as a worker on one
machine does (workers.py). It ends by itself when nobody has shown signs of life for a minute; one
whose node fails is begun again by Slurm, and a run goes on where its folder stands.
"""

import os
import pickle
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from nasarena.experiments.execution.pool import News, Queue, Task
from nasarena.experiments.execution.remote_site import Site, dump, open_site
from nasarena.experiments.execution.workers import LocalPool
from nasarena.search.errors import NasArenaError

_LOOK_S = 0.2  # between looks into the folder
_ASK_S = 5.0  # between questions to Slurm
_BEAT_S = 5.0
_ALONE_S = 60.0  # without a beat
_GRACE_S = 60.0
_JOBS_AT_ONCE = 64


@dataclass(slots=True)
class _Job:
    """A task with Slurm; `is_gone`: Slurm knew it no more, though there was no result yet."""

    task: int
    handle: Any
    progress: Path
    told: float = 0.0
    is_gone: bool = False


class SlurmPool:
    """Slurm jobs; implements `Pool`. Results and what jobs say lie below `folder`.

    `options` are submitit's. With `cluster="local"` jobs are processes on this machine, for trying
    it without Slurm. Raises NasArenaError where there is none.
    """

    def __init__(
        self,
        folder: Path,
        num_workers: int | None = None,
        options: Mapping[str, Any] | None = None,
        jobs: Path | None = None,
        cluster: Literal["slurm", "local"] = "slurm",
    ) -> None:
        import submitit

        self.num_workers = num_workers or _JOBS_AT_ONCE
        self._folder = folder
        self._stack = ExitStack()
        self._notes = (jobs or folder / "jobs").resolve()
        self._notes.mkdir(parents=True, exist_ok=True)
        self._site = self._stack.enter_context(open_site(self._notes))
        self._beat = Path(self._site.witness + "-beat")
        try:
            self._executor = submitit.AutoExecutor(self._notes, cluster=cluster)
        except RuntimeError as error:
            raise NasArenaError(
                f"launcher=slurm: {error}; is this machine one of Slurm's?"
            ) from error
        self._executor.update_parameters(**dict(options or {}))
        self._is_slurm = cluster == "slurm"
        self._jobs: list[_Job] = []
        self._asked_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def run_tasks(self, queue: Queue) -> Generator[News, None, None]:
        """As `Pool.run_tasks`."""
        stop = threading.Event()
        self._beat.touch()
        heart = threading.Thread(target=_beat, args=(self._beat, stop), daemon=True)
        heart.start()
        try:
            while queue or self._jobs:
                self._submit(queue)
                yield from self._look()
                if self._jobs:
                    time.sleep(_LOOK_S)
        finally:
            self._cancel()
            stop.set()
            heart.join()
            self._beat.unlink(missing_ok=True)

    def _submit(self, queue: Queue) -> None:
        """Fill up what is with Slurm; several new jobs go as one array."""
        tasks: list[tuple[int, Task]] = []
        while queue and len(self._jobs) + len(tasks) < self.num_workers:
            tasks.append(queue.take())
        if not tasks:
            return
        progress = [self._notes / f"{Path(self._site.witness).name}-{n}.news" for n, _ in tasks]
        given = [
            (dump(task), self._site, str(self._beat), str(file))
            for (_, task), file in zip(tasks, progress, strict=True)
        ]
        try:
            if len(given) == 1:
                handles = [self._executor.submit(_do, *given[0])]
            else:
                handles = self._executor.map_array(_do, *zip(*given, strict=True))
        except Exception as error:  # submitit raises its own kinds, and those of subprocess
            raise NasArenaError(f"Slurm took no job: {str(error).strip()[-300:]}") from error
        numbers = [number for number, _ in tasks]
        self._jobs += map(_Job, numbers, handles, progress)

    def _look(self) -> list[News]:
        """What has come of the jobs since the last look."""
        known = self._known_ids()
        found: list[News] = []
        for job in list(self._jobs):
            if job.handle.paths.result_pickle.exists():
                last = _result(job)
            elif known is not None and job.handle.job_id not in known:
                # Its result may be on its way through the file system.
                last = News(job.task, "killed", "its job ended without a result")
                if not job.is_gone:
                    job.is_gone, last = True, None
            else:
                last = None
            found += _progress(job)
            if last is not None:
                job.progress.unlink(missing_ok=True)
                self._jobs.remove(job)
                found.append(last)
        return found

    def _known_ids(self) -> set[str] | None:
        """Ids of the jobs that wait or run; None where it is not time to ask, or nobody answers."""
        if not self._is_slurm:
            return {job.handle.job_id for job in self._jobs if not job.handle.done()}
        if time.monotonic() - self._asked_s < _ASK_S:
            return None
        self._asked_s = time.monotonic()
        return _ask_slurm()

    def _cancel(self) -> None:
        for job in self._jobs:
            with suppress(Exception):  # it may just have ended
                job.handle.cancel(check=False)
        deadline = time.monotonic() + _GRACE_S
        while self._jobs and time.monotonic() < deadline:
            self._asked_s = -_ASK_S
            known = self._known_ids()
            self._jobs = [job for job in self._jobs if known is None or job.handle.job_id in known]
            time.sleep(_LOOK_S)
        self._jobs = []


def _ask_slurm() -> set[str] | None:
    ask = ["squeue", "--me", "--noheader", "--array", "--format=%i"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None  # its controller may be away for a while
    return set(answer.stdout.split())


def _result(job: _Job) -> News:
    """The last news, as the job left them for us, or what submitit says of its end."""
    try:
        how, value = pickle.loads(job.handle.paths.result_pickle.read_bytes())
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        return News(job.task, "killed", f"its result cannot be read: {error}")
    if how == "error":
        return News(job.task, "killed", str(value).strip().splitlines()[-1])
    news: News = pickle.loads(value)
    return replace(news, task=job.task)


def _progress(job: _Job) -> list[News]:
    try:
        written = job.progress.stat().st_mtime
        if written == job.told:
            return []
        job.told = written
        return [News(job.task, "working", pickle.loads(job.progress.read_bytes()))]
    except (OSError, EOFError, pickle.UnpicklingError):
        return []


def _do(task: bytes, site: Site, beat: str, progress: str) -> bytes:
    """What a job does: the task, in a process of its own; returns its last news."""
    try:
        site.enter()
    except NasArenaError as error:
        return dump(News(0, "refused", error))
    _end_when_alone(Path(beat))
    draft = Path(f"{progress}-draft")
    for news in LocalPool(1).run_tasks(Queue([pickle.loads(task)])):
        if news.kind == "working":
            draft.write_bytes(dump(news.value))
            draft.replace(progress)
    return dump(news)


def _end_when_alone(beat: Path) -> None:
    """End this job when whoever waits for it beats no more; by this node's clock alone."""

    def watch() -> None:
        last, since_s = 0.0, time.monotonic()
        while time.monotonic() - since_s < _ALONE_S:
            with suppress(OSError):
                if (now := beat.stat().st_mtime) != last:
                    last, since_s = now, time.monotonic()
            time.sleep(_BEAT_S)
        os.kill(os.getpid(), signal.SIGKILL)  # its worker ends with it

    threading.Thread(target=watch, daemon=True).start()


def _beat(file: Path, stop: threading.Event) -> None:
    while not stop.wait(_BEAT_S):
        with suppress(OSError):
            file.touch()
