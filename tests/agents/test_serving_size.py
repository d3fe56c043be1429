"""A server on a CPU is sized by its model: worked out by hand for two models that were served."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from nasarena.agents.llm import serving_size as sizes
from nasarena.agents.llm.errors import VllmFailed
from nasarena.agents.llm.server_command import ServerSettings, command, environment, uses_cuda
from nasarena.agents.llm.serving_size import Load, ModelFacts, read_facts, serving_size
from nasarena.agents.llm.weights import active_params
from nasarena.search.errors import InvalidSetting

GIB = 2**30
SMALL = ModelFacts(134_515_008, 2 * 30 * 3 * 64, 8192)
LARGE = ModelFacts(1_777_088_000, 2 * 28 * 2 * 128, 32768)


@pytest.fixture(autouse=True)
def without_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU that has no instructions for it, whichever this one is."""
    monkeypatch.setattr(sizes, "multiplies_bfloat16", lambda: False)


def test_small_model_is_served_in_float32() -> None:
    size = serving_size(SMALL, None, 24 * GIB, "small")
    assert (size.dtype, size.context) == ("float32", 8192)
    assert size.cache_bytes == (16 * 2048 + 32) * 11_520 * 4  # 16 replies, one empty block


def test_small_model_in_bfloat16_stays_so_where_the_cpu_multiplies_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sizes, "multiplies_bfloat16", lambda: True)
    size = serving_size(SMALL, None, 24 * GIB, "small")
    assert (size.dtype, size.cache_bytes) == ("bfloat16", (16 * 2048 + 32) * 11_520 * 2)
    stored = replace(SMALL, in_bfloat16=False)
    assert serving_size(stored, None, 24 * GIB, "small").dtype == "float32"


def test_large_model_is_served_in_half_the_memory_and_a_context_that_fits() -> None:
    size = serving_size(LARGE, None, 24 * GIB, "large")
    assert (size.dtype, size.context) == ("bfloat16", 8192)
    assert size.cache_bytes == (16 * 2048 + 32) * 14_336 * 2


def test_cache_holds_the_longest_prompt() -> None:
    assert serving_size(LARGE, 32768, 24 * GIB, "large").cache_bytes == (32768 + 32) * 14_336 * 2
    assert serving_size(LARGE, 512, 24 * GIB, "large").cache_bytes == (16 * 512 + 32) * 14_336 * 2


def test_cache_is_whole_blocks_of_which_one_stays_empty() -> None:
    """vLLM refuses a context of 2,048 with a cache of 2,048 tokens: 2,016 of them are to be had."""
    assert serving_size(LARGE, 2048, 24 * GIB, "large", Load(1)).cache_bytes == 2080 * 14_336 * 2
    assert serving_size(LARGE, 2049, 24 * GIB, "large", Load(1)).cache_bytes == 2112 * 14_336 * 2


def test_short_memory_takes_replies_first_and_then_context() -> None:
    # Weights and processes take 5.31 GiB, 1,024 tokens of keys and values another 0.027.
    few = serving_size(LARGE, None, int(5.55 * GIB), "large")
    assert (few.context, few.num_sequences, few.cache_bytes) == (8192, 4, 8224 * 14_336 * 2)
    less = serving_size(LARGE, None, int(5.45 * GIB), "large")
    assert (less.context, less.num_sequences, less.cache_bytes) == (4096, 1, 4128 * 14_336 * 2)


def test_size_follows_what_will_be_asked() -> None:
    assert serving_size(LARGE, None, 24 * GIB, "large", Load(1, 13_000)).context == 13_000
    assert serving_size(SMALL, None, 24 * GIB, "small", Load(1, 13_000)).context == 8192
    many = serving_size(SMALL, None, 24 * GIB, "small", Load(32))
    assert (many.num_sequences, many.cache_bytes) == (32, (32 * 2048 + 32) * 11_520 * 4)
    with pytest.raises(VllmFailed, match="prompts of up to 6000 tokens"):
        serving_size(LARGE, None, int(5.45 * GIB), "large", Load(1, 6000))


def test_what_does_not_fit_is_said_with_numbers() -> None:
    with pytest.raises(VllmFailed, match=r"large needs about 5\.4 GiB of memory, 4\.0 are free"):
        serving_size(LARGE, None, 4 * GIB, "large")
    with pytest.raises(InvalidSetting, match="at most 8192, which small was trained for"):
        serving_size(SMALL, 8193, 24 * GIB, "small")


def test_facts_are_read_from_a_folder(tmp_path: Path) -> None:
    config = {
        "num_attention_heads": 4, "hidden_size": 64, "num_hidden_layers": 3,
        "max_position_embeddings": 512,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert read_facts(tmp_path) is None  # no weights
    save_file({"w": np.zeros((10, 7), dtype=np.float32)}, tmp_path / "model.safetensors")
    assert read_facts(tmp_path) == ModelFacts(70, 2 * 3 * 4 * 16, 512, in_bfloat16=False)
    words = command(ServerSettings(model=str(tmp_path), device="cpu"), "python", 1)
    assert words[words.index("--max-model-len") + 1] == "512"
    assert words[words.index("--kv-cache-memory-bytes") + 1] == str((16 * 512 + 32) * 384 * 4)
    assert words[words.index("--block-size") + 1] == "32"  # so that most of a prompt is cached
    assert "--no-enable-chunked-prefill" in words  # a seeded prompt read in parts ends the server
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_key_value_heads": 1}))
    facts = read_facts(tmp_path)
    assert facts is not None and facts.values_per_token == 2 * 3 * 16
    for name in ("dtype", "torch_dtype"):  # as transformers 5 and 4 call it
        (tmp_path / "config.json").write_text(json.dumps({**config, name: "bfloat16"}))
        facts = read_facts(tmp_path)
        assert facts is not None and facts.in_bfloat16
    (tmp_path / "config.json").write_text(json.dumps({**config, "layers_block_type": ["mamba"]}))
    assert read_facts(tmp_path) is None


def test_weights_that_lie_there_twice_count_once(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    for name in ("model-1-of-2", "model-2-of-2", "consolidated"):
        save_file({"w": np.zeros((10, 7), dtype=np.float32)}, tmp_path / f"{name}.safetensors")
    assert active_params(tmp_path) == 210
    index = tmp_path / "model.safetensors.index.json"
    named = {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}
    index.write_text(json.dumps({"weight_map": named}))
    assert active_params(tmp_path) == 140
    index.write_text("[]")
    assert active_params(tmp_path) == 210  # of no use


def test_gpus_that_are_hidden_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert uses_cuda("auto")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not uses_cuda("auto") and uses_cuda("cuda")


def test_model_and_engine_are_one_process_with_all_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a process for each, the engine polls the other one and has a core to itself."""
    monkeypatch.setattr("nasarena.agents.llm.server_command.num_cores", lambda: 6)
    (tmp_path / "config.json").write_text("{}")
    served = ServerSettings(model=str(tmp_path), device="cpu")
    words = command(served, "python", 1)
    assert words[words.index("--distributed-executor-backend") + 1] == "uni"
    monkeypatch.setenv("MKL_NUM_THREADS", "1")  # as every process of ours has it
    given = environment(served, tmp_path)
    assert (given["OMP_NUM_THREADS"], given["MKL_NUM_THREADS"]) == ("6", "6")
    assert environment(served, tmp_path)["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "1")
    assert environment(served, tmp_path)["VLLM_ENABLE_V1_MULTIPROCESSING"] == "1"
    for words in (["--tensor-parallel-size", "2"], ["--distributed-executor-backend=mp"]):
        divided = replace(served, arguments=tuple(words))
        assert "uni" not in command(divided, "python", 1)  # needs a process for each part
        assert environment(divided, tmp_path)["OMP_NUM_THREADS"] == "1"
