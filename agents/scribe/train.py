"""Teach the embedded agent: a Qwen3-architecture decoder, from scratch, on lessons made as it goes.

    python -m nasarena.agents.scribe.train        (`make train-scribe`)

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
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import Qwen3Config, Qwen3ForCausalLM
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from nasarena.agents.llm.server_command import SERVING
from nasarena.agents.scribe.batches import IGNORE, Batch, shard_batches
from nasarena.agents.scribe.embeddings import initial_embeddings
from nasarena.agents.scribe.vocabulary import END, MAX_TOKENS, PAD, build_tokenizer, save_tokenizer
from nasarena.search.machine import cache_folder, thread_environment
from nasarena.search.seeding import stream

MODEL_DIR = Path(__file__).parent / "model"


@dataclass(frozen=True, slots=True)
class Settings:
    """All that the weights depend on."""

    seed: int = 0
    steps: int = 2500
    batch_tokens: int = 4096
    shard_runs: int = 64
    learning_rate: float = 8e-3  # of Muon, matched to AdamW's size of updates
    embedding_rate: float = 3e-3  # of AdamW
    weight_decay: float = 0.02
    prompt_weight: float = 0.3  # of a token of the prompt in the loss; one of a reply has 1
    warmup: float = 0.02  # share of the steps
    decay: float = 0.4
    width: int = 128
    layers: int = 5
    heads: int = 4
    mlp: int = 384

    def rate(self, step: int) -> float:
        """Learning rate of a step, as a share of `learning_rate`."""
        done = (step + 1) / self.steps
        return min(1.0, done / self.warmup, max(1.0 - step / self.steps, 0.0) / self.decay)


class Training:
    """Model, optimizers and position in the stream of lessons; all of it goes into a checkpoint."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.model = build_model(settings)
        matrices = [p for p in self.model.model.layers.parameters() if p.ndim == 2]
        chosen = {id(p) for p in matrices}
        others = [p for p in self.model.parameters() if id(p) not in chosen]
        decay = settings.weight_decay
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(matrices, weight_decay=decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, weight_decay=0.0, betas=(0.9, 0.98)),
        ]
        self.rates = (settings.learning_rate, settings.embedding_rate)
        self.step = self.shard = self.batch = 0
        self.seconds = 0.0
        self.curve: list[dict[str, float]] = []

    def learn(self, batch: Batch) -> float:
        """One step; returns the loss in nats a token."""
        for optimizer, rate in zip(self.optimizers, self.rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * self.settings.rate(self.step)
        loss = lesson_loss(self.model, batch, self.settings.prompt_weight)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.model.zero_grad()
        self.step += 1
        return loss.item()

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


def build_model(settings: Settings) -> Qwen3ForCausalLM:
    """Random weights, the same for one seed."""
    tokenizer = build_tokenizer()
    config = Qwen3Config(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=settings.width,
        intermediate_size=settings.mlp,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        head_dim=settings.width // settings.heads,
        max_position_embeddings=MAX_TOKENS,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.token_to_id(PAD),
        bos_token_id=None,
        eos_token_id=tokenizer.token_to_id(END),
    )
    ALL_ATTENTION_FUNCTIONS.register("plain", plain_attention)
    config._attn_implementation = "plain"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = Qwen3ForCausalLM(config)
    embeddings = initial_embeddings(settings.width, stream(settings.seed, "embeddings"))
    model.model.embed_tokens.weight.data.copy_(torch.from_numpy(embeddings))
    for layer in model.model.layers:  # each layer starts as the identity
        layer.self_attn.o_proj.weight.data.zero_()
        layer.mlp.down_proj.weight.data.zero_()
    return model


def plain_attention(
    module: torch.nn.Module,
    query_BHTK: torch.Tensor,
    key_BHTK: torch.Tensor,
    value_BHTK: torch.Tensor,
    attention_mask: torch.Tensor,
    scaling: float,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Attention by three plain products: on a CPU in bfloat16 far faster backwards than fused."""
    with torch.autocast("cpu", enabled=False):
        scores_BHTT = query_BHTK @ key_BHTK.transpose(-1, -2) * scaling + attention_mask
        mixed_BHTK = torch.softmax(scores_BHTT, -1) @ value_BHTK.to(scores_BHTT.dtype)
    return mixed_BHTK.transpose(1, 2).contiguous(), None


def lesson_loss(model: Qwen3ForCausalLM, batch: Batch, prompt_weight: float) -> torch.Tensor:
    """Weighted mean cross-entropy over the targets; the layers compute in bfloat16.

    To predict a prompt itself teaches what places, letters and the best pattern are, on every line.
    """
    segments_BT = torch.from_numpy(batch.segments_BT)
    targets_BT = torch.from_numpy(batch.targets_BT)
    own_BTT = segments_BT[:, None, :] == segments_BT[:, :, None]
    seen_BTT = (own_BTT | (segments_BT[:, None, :] == 0)).tril()
    mask_BTT = torch.zeros(seen_BTT.shape, dtype=torch.bfloat16).masked_fill_(~seen_BTT, -1e4)
    wanted_BT = targets_BT != IGNORE
    weights = torch.where(segments_BT[wanted_BT] == 0, prompt_weight, 1.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden_BTD = model.model(
            input_ids=torch.from_numpy(batch.ids_BT),
            position_ids=torch.from_numpy(batch.positions_BT),
            attention_mask=mask_BTT[:, None],
            use_cache=False,
        ).last_hidden_state
        logits = model.lm_head(hidden_BTD[wanted_BT])
    losses = cross_entropy(logits.float(), targets_BT[wanted_BT], reduction="none")
    return (losses * weights).sum() / weights.sum()


def stream_batches(training: Training, ahead: int = 2) -> Generator[Batch, None, None]:
    """Batches from the training's place onwards; shards are made ahead in another process."""
    settings = training.settings

    def submit(index: int) -> Future[list[Batch]]:
        return pool.submit(
            shard_batches, settings.seed, index, settings.batch_tokens, settings.shard_runs
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
            loss = sum(losses) / len(losses)
            losses.clear()
            training.curve.append(
                {"step": training.step, "loss": round(loss, 4), "s": round(training.seconds, 1)}
            )
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
        "num_parameters": sum(p.numel() for p in training.model.parameters()),
        "seconds": round(training.seconds, 1),
        "curve": training.curve,
    }
    # Guidance feeds fixed text in byte by byte; the embedded agent has learned whole pieces as one
    # token, and after `{"name":"` in bytes it says nothing sensible. xgrammar lets it choose.
    serving = {"structured_outputs_backend": "xgrammar"}
    (folder / SERVING).write_text(json.dumps(serving) + "\n")
    (folder / "training.json").write_text(json.dumps(record, indent=1) + "\n")


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
    parser.add_argument("--threads", type=int, default=2, help="of the learning process")
    checkpoint = cache_folder() / "scribe" / "checkpoint.pt"
    parser.add_argument("--checkpoint", type=Path, default=checkpoint)
    parser.add_argument("--out", type=Path, default=MODEL_DIR, help="where the model is written")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    # Lessons are made of small matrices; more threads than one only get into each other's way.
    os.environ.update(thread_environment(1))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an end at which the workers end too
    settings = Settings(seed=arguments.seed, steps=arguments.steps)
    save(train(settings, arguments.checkpoint), arguments.out)


if __name__ == "__main__":
    main()
