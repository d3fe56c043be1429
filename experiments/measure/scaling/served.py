"""Does a vLLM server say of an export what the model says? Log-probabilities of the same tokens.

The server runs already, with the export of the same cell, in float32:

    nasarena export CELL exported
    vllm serve exported --dtype float32 --max-model-len 1024 --enforce-eager \\
      --no-enable-prefix-caching
    python -m nasarena.experiments.measure.scaling.served CELL http://127.0.0.1:8000 [--save]

On a CPU vLLM 0.32.0 has attention for heads of 32, 64, 80 and more features only, and with a cache
of prefixes its Mamba-2 fails on prompts of more than one chunk (128 positions): hence the flag.
"""

import sys
from collections.abc import Sequence
from typing import Any

import httpx
import torch

from nasarena.experiments.measure.record import record
from nasarena.experiments.scaling.saved_cell import SavedCell, open_saved_cell
from nasarena.proxies.data.text_data import ByteText

_LENGTH, _SEQUENCES = 512, 4


def measure() -> None:
    """Ask, compare, print, and keep if asked to."""
    place, url = [word for word in sys.argv[1:] if not word.startswith("--")]
    saved = open_saved_cell(place)
    task = ByteText(length=_LENGTH, shipped="prose")
    prompts: list[list[int]] = task.sample(0, "held_out", _SEQUENCES).inputs.tolist()
    served = str(httpx.get(f"{url}/v1/models", timeout=60).json()["data"][0]["id"])
    rows = [
        compare(saved, prompt, prompt_log_probabilities(url, served, prompt)) for prompt in prompts
    ]
    version = httpx.get(f"{url}/version", timeout=60).json()["version"]
    summary = {
        "pattern": saved.model.pattern,
        "parameters": saved.model.num_parameters,
        "tokens": sum(row["tokens"] for row in rows),
        "largest_difference": max(row["largest_difference"] for row in rows),
        "vllm": version,
    }
    name = f"served_{saved.model.pattern.lower()}"
    argv = [word for word in sys.argv[1:] if word.startswith("--")]
    record(name, rows, summary, argv=["CELL", "URL", *argv], module="scaling.served")


def compare(saved: SavedCell, prompt: Sequence[int], theirs: Sequence[float]) -> dict[str, Any]:
    """The largest difference over all tokens of a prompt but the first."""
    ids = torch.tensor([list(prompt)])
    with torch.inference_mode():
        scores = saved.model(ids)[0, :-1].log_softmax(-1)
    ours = scores.gather(-1, ids[0, 1:, None])[:, 0]
    difference = (ours - torch.tensor(theirs)).abs()
    return {"tokens": len(theirs), "largest_difference": float(difference.max())}


def prompt_log_probabilities(url: str, served: str, prompt: Sequence[int]) -> list[float]:
    """Of each token of the prompt but the first, as vLLM computes them."""
    body = {
        "model": served, "prompt": list(prompt), "max_tokens": 1, "temperature": 0,
        "prompt_logprobs": 0,
    }  # fmt: skip
    answer = httpx.post(f"{url}/v1/completions", json=body, timeout=600)
    answer.raise_for_status()
    found = answer.json()["choices"][0]["prompt_logprobs"]
    # The first has none; the others hold the token itself, and with 0 no further ones.
    return [
        float(one[str(token)]["logprob"]) for token, one in zip(prompt[1:], found[1:], strict=True)
    ]


if __name__ == "__main__":
    measure()
