"""Teach the embedded agent: a Qwen3-architecture decoder, from scratch, on lessons made as it goes.

    python -m nasarena.agents.scribe.train [--layers=AMAMAM] [--out=FOLDER]   (`make train-scribe`)

Lessons of shard n are a function of (seed, n), so no data are stored, every lesson is seen once,
and a run that was interrupted goes on from its last checkpoint to the very same weights. One
process makes the next shards while this one learns. Matrices are trained by Muon (Jordan et al.
2024), all else by AdamW; the learning rate warms up, stays, and falls to zero in the last part.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Generator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from nasarena.agents.llm.server_command import SERVING
from nasarena.agents.scribe.batches import Batch, shard_batches
from nasarena.agents.scribe.card import FILE, MODEL_DIR
from nasarena.agents.scribe.network import build_model, token_losses
from nasarena.agents.scribe.training_settings import Settings
from nasarena.agents.scribe.vocabulary import GAINS, build_tokenizer, save_tokenizer
from nasarena.search.machine import cache_folder, thread_environment

# How the model is asked; on families of lessons more did harm (docs/embedded-agent.md).
LINES = 16  # scored lines of a prompt


class Training:
    """Model, optimizers and position in the stream of lessons; all of it goes into a checkpoint."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.model = build_model(settings)
        trained = [p for p in self.model.parameters() if p.requires_grad]
        embeddings = self.model.model.embed_tokens.weight
        matrices = [p for p in trained if p.ndim == 2 and p is not embeddings]
        others = [p for p in trained if p.ndim != 2 or p is embeddings]
        decay = settings.weight_decay
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, weight_decay=decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, weight_decay=0.0, betas=(0.9, 0.98)),
        ]
        self.rates = (settings.learning_rate, settings.embedding_rate)
        self.step = self.shard = self.batch = 0
        self.seconds = 0.0
        self.curve: list[dict[str, float]] = []
        ids = build_tokenizer().get_vocab()
        self._gains = torch.tensor([ids[text.replace(" ", "\u0120")] for text in GAINS])

    def learn(self, batch: Batch) -> tuple[float, float]:
        """One step; returns the loss and that of the gains alone, in nats a token."""
        for optimizer, rate in zip(self.optimizers, self.rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * self.settings.rate(self.step)
        losses, weights, targets = token_losses(self.model, batch, self.settings.prompt_weight)
        loss = (losses * weights).sum() / weights.sum()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.model.zero_grad()
        self.step += 1
        return loss.item(), losses[torch.isin(targets, self._gains)].mean().item()

    def state(self) -> dict[str, Any]:
        """What `load` needs to go on exactly."""
        return {
            "settings": asdict(self.settings),
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "place": (self.step, self.shard, self.batch, self.seconds),
            "curve": self.curve,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken. Raises ValueError for a run of other settings."""
        if state["settings"] != asdict(self.settings):
            raise ValueError("the checkpoint is of other settings, remove it to start afresh")
        self.model.load_state_dict(state["model"])
        for optimizer, values in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(values)
        self.step, self.shard, self.batch, self.seconds = state["place"]
        self.curve = state["curve"]


def stream_batches(training: Training, ahead: int = 2) -> Generator[Batch, None, None]:
    """Batches from the training's place onwards; shards are made ahead in another process."""
    settings = training.settings

    def submit(index: int) -> Future[list[Batch]]:
        return pool.submit(
            shard_batches,
            settings.seed,
            index,
            settings.batch_tokens,
            settings.shard_runs,
            settings.teaching,
        )

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        coming = [submit(training.shard + i) for i in range(ahead)]
        while True:
            batches = coming.pop(0).result()
            coming.append(submit(training.shard + ahead))
            for batch in batches[training.batch :]:
                training.batch += 1
                yield batch
            training.shard, training.batch = training.shard + 1, 0


def train(settings: Settings, checkpoint: Path, every: int = 100) -> Training:
    """Train to the end, from the checkpoint if there is one, and write one every so many steps."""
    training = Training(settings)
    if checkpoint.exists():
        training.load(torch.load(checkpoint, weights_only=True))
        print(f"going on after step {training.step}", flush=True)
    batches, losses, began = stream_batches(training), [], time.monotonic()
    while training.step < settings.steps:
        losses.append(training.learn(next(batches)))
        if training.step % every == 0 or training.step == settings.steps:
            training.seconds += time.monotonic() - began
            began = time.monotonic()
            loss, gain = (round(sum(part) / len(part), 4) for part in zip(*losses, strict=True))
            losses.clear()
            seconds = round(training.seconds, 1)
            training.curve.append({"step": training.step, "loss": loss, "gain": gain, "s": seconds})
            print(json.dumps(training.curve[-1]), flush=True)
            _write(training.state(), checkpoint)
    batches.close()
    return training


def save(training: Training, folder: Path) -> None:
    """Weights in float32, configuration, tokenizer and training curve, in transformers' format."""
    folder.mkdir(parents=True, exist_ok=True)
    training.model.save_pretrained(folder)
    save_tokenizer(folder)
    record = {
        "settings": asdict(training.settings),
        "lines": LINES,
        "num_parameters": sum(p.numel() for p in training.model.parameters()),
        "seconds": round(training.seconds, 1),
        "curve": training.curve,
    }
    # Guidance feeds fixed text in byte by byte; the embedded agent has learned whole pieces as one
    # token, and after `{"name":"` in bytes it says nothing sensible. xgrammar lets it choose.
    serving = {"structured_outputs_backend": "xgrammar"}
    (folder / SERVING).write_text(json.dumps(serving) + "\n")
    (folder / FILE).write_text(json.dumps(record, indent=1) + "\n")


def _write(state: dict[str, Any], path: Path) -> None:
    """All or nothing, so that an interruption leaves the previous checkpoint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the embedded agent; resumes by itself.")
    parser.add_argument("--steps", type=int, default=Settings().steps, help="optimizer steps")
    parser.add_argument("--seed", type=int, default=0, help="of weights and lessons")
    for name, default in (("width", 128), ("by-truth", 2), ("probes", 8), ("lines", 48)):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"by default {default}")
    parser.add_argument("--layers", default=Settings().layers, help="a pattern of A and M")
    parser.add_argument("--threads", type=int, default=2, help="of the learning process")
    checkpoint = cache_folder() / "scribe" / "checkpoint.pt"
    parser.add_argument("--checkpoint", type=Path, default=checkpoint)
    parser.add_argument("--out", type=Path, default=MODEL_DIR, help="where the model is written")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    # Lessons are made of small matrices; more threads than one only get into each other's way.
    os.environ.update(thread_environment(1))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an end at which the workers end too
    names = ("seed", "steps", "width", "layers", "by_truth", "probes", "lines")
    settings = Settings(**{name: getattr(arguments, name) for name in names})
    save(train(settings, arguments.checkpoint), arguments.out)


if __name__ == "__main__":
    main()
