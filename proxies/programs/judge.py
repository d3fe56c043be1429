"""Train a program, score what it learned, and believe nothing that it says.

The program runs three times, each time in a new sandbox that knows nothing of the others: once to
train, once to answer twins of the held-out inputs, once to answer the inputs. We hold the targets,
own the clock and compute the score.
"""

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from nasarena.proxies.programs import windows as held_out
from nasarena.proxies.programs.conversation import Broken, Conversation
from nasarena.proxies.programs.crash_words import crash_words
from nasarena.proxies.programs.exams import draw_exam
from nasarena.proxies.programs.script_task import ScriptTask, Verdict
from nasarena.proxies.sandbox.levels import choose_level
from nasarena.proxies.sandbox.limits import Ending, Level
from nasarena.proxies.sandbox.runner import Sandbox
from nasarena.search.untrusted.one_line import one_line

_HERE = Path(__file__).parent
TOO_LONG = "trained for more than"  # how the note of a program begins that did not end
_WEIGHTS = "weights.safetensors"
_CHILDREN = {
    "torch": ("train_child.py", "score_child.py"),
    "flax": ("flax_child.py", "flax_child.py"),
}
_FLOATS = ("torch.float", "torch.bfloat", "float", "bfloat")
_IMPORT_S = 120.0  # for importing PyTorch, before any line of the program
_SAVE_S = 2.0  # for storing the weights, after the last
_CRASH_S = 0.5  # for a process that has closed its pipes to end, with a code that says why
_LOG = 20_000  # characters of what a program wrote: tracebacks of JAX are long
_HEAD = 160  # bytes of a file of weights for the name and shape of a tensor


class _Failed(Exception):
    """Why a program has no score."""

    def __init__(self, note: str, log: str = "") -> None:
        super().__init__(note)
        self.log = log[-_LOG:]


def judge(source: str, task: ScriptTask, seed: int) -> Verdict:
    """The verdict on one program. Never raises for anything that a program does.

    Raises InvalidSetting where the sandbox that the task requires cannot be had.
    """
    level = choose_level(task.require_sandbox, task.container)
    trial = _Trial(source.encode(errors="replace"), task, seed, level)
    with tempfile.TemporaryDirectory(prefix="nasarena-judge-") as folder:
        try:
            trial.train(folder)
            score, metrics = trial.score(Path(folder) / _WEIGHTS)
        except _Failed as error:
            note = one_line(str(error))[:300]
            return Verdict("failed", None, trial.seconds, {}, note, error.log, level)
    return Verdict("ok", score, trial.seconds, metrics, "", trial.log, level)


class _Trial:
    """One program with one seed."""

    def __init__(self, source: bytes, task: ScriptTask, seed: int, level: Level) -> None:
        self._source, self._frame = source, task.frame.encode()
        self._program = self._source + self._frame
        self._task, self._seed, self._level = task, seed, level
        self._exam = draw_exam(task)
        self.seconds = 0.0
        self.log = ""

    def train(self, folder: str) -> None:
        """Leave the weights in `folder`. Raises _Failed; `seconds` is set either way."""
        task = self._task
        most = task.warmup_seconds + task.seconds + _SAVE_S
        with self._sandbox(_CHILDREN[task.framework][0], _IMPORT_S + most, folder) as sandbox:
            talk = Conversation(sandbox.input, sandbox.output)
            start = sent = None
            try:
                talk.expect("ready", time.monotonic() + _IMPORT_S)
                data = task.train.tobytes()
                sent = time.monotonic()
                line = self._task_line(data=len(data), most_numbers=task.most_numbers)
                talk.write(line + self._program, sent + most)
                start = self._await_training(talk, sent)
                # Not before: in the time that is free there is nothing to be learned.
                talk.write(data, start + task.seconds)
                talk.expect_end(start + task.seconds + _SAVE_S)
                problem = ""
                sandbox.wait(start + task.seconds + _SAVE_S)
            except Broken as error:
                problem = str(error)
                sandbox.wait(time.monotonic() + _CRASH_S)
            free = None if sent is None else sent + task.warmup_seconds
            begin = start if start is not None else free
            self.seconds = max(0.0, time.monotonic() - begin) if begin is not None else 0.0
            ending = sandbox.stop()
        self.log = sandbox.errors[-_LOG:]
        if self.seconds > task.seconds + _SAVE_S:
            raise _Failed(f"{TOO_LONG} {task.seconds:g} s", self.log)
        self._check_end(ending, problem)
        if _WEIGHTS not in ending.kept:
            raise _Failed("left no weights that can be read", self.log)

    def _await_training(self, talk: Conversation, sent: float) -> float:
        """When the training began: when it says so, at the latest when its free time is over."""
        limit = sent + self._task.warmup_seconds
        talk.expect("training", limit + self._task.seconds + _SAVE_S)
        return min(time.monotonic(), limit)

    def score(self, weights: Path) -> tuple[float, Mapping[str, float]]:
        """Score and metrics by our own reckoning. Raises _Failed."""
        num_parameters = self._count_parameters(weights)
        data, exam = weights.read_bytes(), self._exam
        twins, answers = self._answers(data, exam.twins), self._answers(data, exam.inputs)
        if not exam.difference(answers, twins) <= held_out.TOLERANCE:
            # Not by how much: the exam is another one when a run goes on after a kill.
            raise _Failed(f"its answers depend on {exam.suspicion}")
        score, metrics = exam.mark(answers)
        return score, {**metrics, "num_parameters": float(num_parameters)}

    def _count_parameters(self, weights: Path) -> int:
        """Raises _Failed for what is no file of safetensors, or holds more than it may."""
        shapes = _shapes(weights)
        most = self._task.most_numbers
        kept = (weights.stat().st_size - _HEAD * len(shapes)) // 4  # of single precision
        if most is not None and kept > most:
            raise _Failed(f"left {kept} numbers, more than the {most} allowed", self.log)
        return sum(int(np.prod(shape)) for shape in shapes)

    def _answers(self, weights: bytes, inputs: held_out.Ints) -> held_out.Floats:
        """Log-probabilities `[n, *answer shape]`. Raises _Failed."""
        task = self._task
        most = task.score_seconds
        with self._sandbox(_CHILDREN[task.framework][1], _IMPORT_S + most) as sandbox:
            talk = Conversation(sandbox.input, sandbox.output)
            problem, found = "", []
            start = time.monotonic()
            try:
                talk.expect("ready", start + _IMPORT_S)
                start = time.monotonic()
                line = self._task_line(weights=len(weights))
                talk.write(line + self._program + weights, start + most)
                talk.expect("built", start + most)
                for batch in _batches(inputs, task.batch):
                    talk.write(batch.astype(np.int32).tobytes(), start + most)
                    found.append(self._read_logits(talk, start + most))
                talk.expect_end(start + most)
                sandbox.wait(start + most)
            except Broken as error:
                problem = str(error)
                sandbox.wait(time.monotonic() + _CRASH_S)
            ending = sandbox.stop()
        self._check_end(ending, problem, "while scoring: ", sandbox.errors)
        return held_out.log_probabilities(np.concatenate(found)[: len(inputs)])

    def _read_logits(self, talk: Conversation, deadline: float) -> npt.NDArray[np.float32]:
        task = self._task
        shape = [task.batch, *self._exam.answer_shape]
        line = talk.read_line(deadline)
        try:
            facts = json.loads(line)
            found, kind = facts["shape"], str(facts["dtype"])
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise Broken(f"said {line[:40]!r} in place of a shape") from error
        if found != shape or not kind.startswith(_FLOATS):
            raise Broken(f"gave logits {str(found)[:60]} of {kind[:20]}, expected {shape}")
        data = talk.read_exactly(int(np.prod(shape)) * 4, deadline)
        logits = np.frombuffer(data, dtype="<f4").reshape(shape)
        if not np.isfinite(logits).all():
            raise Broken("gave logits that are not finite")
        return logits

    def _sandbox(self, child: str, seconds: float, kept_in: str = "") -> Sandbox:
        file, task = str(_HERE / child), self._task
        return Sandbox(
            (sys.executable, "-I", "-B", file),
            limits=replace(task.limits, wall_s=seconds),
            level=self._level,
            readable=(file,),
            keep=(_WEIGHTS,) if kept_in else (),
            kept_in=kept_in,
            num_threads=task.num_threads,
            has_gpu=task.has_gpu,
            container=task.container,
            script=file,
        )

    def _task_line(self, **others: int | None) -> bytes:
        task = self._task
        values = {
            "source": len(self._source),
            "frame": len(self._frame),
            "width": self._exam.inputs.shape[1],
            "vocab_size": task.vocab_size,
            "length": task.length,
            "batch": task.batch,
            "seconds": task.seconds,
            "steps": task.steps,
            "seed": self._seed,
            "num_threads": task.num_threads,
            "has_gpu": task.has_gpu,
            **others,
        }
        return json.dumps(values).encode() + b"\n"

    def _check_end(
        self, ending: Ending, problem: str, where: str = "", errors: str | None = None
    ) -> None:
        """Raises _Failed where a process did not end as it should."""
        log = self.log if errors is None else errors[-_LOG:]
        if ending.cause not in ("exit", "stopped"):
            raise _Failed(f"{where}ended by its sandbox: {ending.cause} {ending.note}".strip(), log)
        if ending.exit_code not in (0, None):
            raise _Failed(where + (crash_words(log) or f"exit {ending.exit_code}"), log)
        if problem:
            raise _Failed(where + problem, log)


def _batches(inputs: held_out.Ints, size: int) -> list[held_out.Ints]:
    """Batches of equal size; the last is filled up with its first rows again."""
    missing = -len(inputs) % size
    filled = np.concatenate([inputs, inputs[np.arange(missing) % len(inputs)]])
    return np.split(filled, len(filled) // size)


def _shapes(weights: Path) -> list[list[int]]:
    """Of all tensors. Raises _Failed for a file that is not in the format of safetensors."""
    try:
        with safe_open(weights, framework="np") as file:
            return [file.get_slice(name).get_shape() for name in file.keys()]
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise _Failed(f"left weights that cannot be read: {error}") from error
