"""What would end the start of a server is said first: before a model is fetched or loaded."""

import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from safetensors.numpy import save_file

from nasarena.agents.llm import serving_size
from nasarena.agents.llm.errors import VllmFailed
from nasarena.agents.llm.server import VllmServer
from nasarena.agents.llm.server_command import ServerSettings
from nasarena.agents.llm.serving_size import Load
from nasarena.agents.models import folder as folders
from nasarena.agents.models.folder import models_folder
from nasarena.agents.models.packaged import SMOLLM2
from nasarena.experiments.comparison import model_needs, served_model
from nasarena.experiments.comparison.llm import offline_access
from nasarena.experiments.comparison.model_needs import model_findings
from nasarena.experiments.comparison.plan import plan_comparison
from nasarena.experiments.comparison.shared_model import foresee_load
from nasarena.experiments.execution.console import timed_bar
from nasarena.experiments.settings.commands import compare_settings
from nasarena.search.errors import InvalidSetting

GIB = 2**30


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own, a vLLM, no GPU, no bfloat16 on the CPU, and nothing may be fetched."""
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(served_model, "vllm_python", lambda given: "python")
    monkeypatch.setattr(served_model, "uses_cuda", lambda device: False)
    monkeypatch.setattr(model_needs, "uses_cuda", lambda device: False)
    monkeypatch.setattr(serving_size, "multiplies_bfloat16", lambda: False)
    for name in ("check_index", "download", "convert"):
        monkeypatch.setattr(folders, name, lambda *_: pytest.fail("something long began"))


def ready(model: str, **settings: object) -> str:
    asked = ServerSettings(model=model, **settings)  # type: ignore[arg-type]
    return served_model.ready_model(asked, Console(quiet=True))


def test_missing_vllm_is_said_before_a_model_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("NASARENA_VLLM_PYTHON", "/no/such/python")
    with pytest.raises(VllmFailed, match="/no/such/python: not there"):
        ready(SMOLLM2.name)


def test_memory_is_looked_at_before_a_model_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_model, "free_memory", lambda: 2 * GIB)
    with pytest.raises(VllmFailed, match=r"smollm2-135m needs about 2\.6 GiB of memory, 2\.0 are"):
        ready(SMOLLM2.name)
    with pytest.raises(InvalidSetting, match="context must be at most 8192"):
        ready(SMOLLM2.name, context=9000)
    assert not models_folder().exists()


def test_folder_is_looked_at_before_it_is_loaded(tmp_path: Path) -> None:
    import numpy as np

    (tmp_path / "config.json").write_text("{}")
    save_file({"w": np.zeros(3, dtype=np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(InvalidSetting, match="no chat template"):
        ready(str(tmp_path))
    own = ready(str(tmp_path), arguments=("--chat-template", "mine.jinja"))
    assert own == str(tmp_path)
    assert ready("Qwen/Qwen3-8B") == "Qwen/Qwen3-8B"  # the server fetches that itself


def test_start_refuses_a_port_at_which_another_server_listens(tmp_path: Path) -> None:
    """Its answers would pass for those of ours."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        asked = ServerSettings(model="some/model", port=port, python=sys.executable)
        with pytest.raises(InvalidSetting, match=f"port {port} of 127.0.0.1 is taken"):
            VllmServer(asked, tmp_path / "server", tmp_path).start()


@pytest.mark.parametrize(
    ("set_now", "recorded"),
    [("models/Qwen3-8B", "Qwen3-8B"), ("other.gguf", "of the record"), ("org/name", "org/name")],
)
def test_a_run_without_calls_is_of_the_model_that_is_set(
    set_now: str, recorded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder goes by its name in records; what a file is called there is not known."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "Qwen3-8B").mkdir(parents=True)
    (tmp_path / "other.gguf").touch()
    config = compare_settings(["llm=vllm", f"llm.model={set_now}"]).llm
    record: Any = SimpleNamespace(config={"llm": {"model": "of the record"}}, path=tmp_path)
    assert offline_access(config, record).identity["model"] == recorded


def test_load_is_that_of_the_longest_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nasarena.experiments.comparison.shared_model.num_cores", lambda: 16)
    arguments = "proxy=additive budget=trials seeds=3 references=false".split()
    searchers = "searchers=[random,agent-sequential,agent-greedy]"
    words = [*arguments, searchers, "llm.base_url=http://127.0.0.1:1/v1"]

    def load(num_trials: int, workers: int | None) -> Load:
        config = compare_settings([*words, f"budget.amount={num_trials}"])
        cells = plan_comparison(config, "test").cells
        return foresee_load([cell for cell in cells if cell.entrant.uses_llm], workers)

    assert load(50, 2) == Load(2, 50 * 80 + 400 + 1000)
    assert load(1000, None) == Load(6, 12_000 + 400 + 1000)


def test_doctor_says_what_each_model_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_needs, "free_memory", lambda: int(5.55 * GIB))
    small, large = model_findings()
    assert small[0] == "smollm2-135m" and small[2] is None
    assert "93 MB to fetch, 0.4 GiB of disk and 1.8 of memory to convert, 0.3 GiB" in small[1]
    assert "it takes 3.9 GiB, 8192 tokens of context, 16 replies at once" in small[1]
    assert "but only 5.5 GiB of memory are free" in large[1]
    assert "8192 tokens of context, 4 replies at once" in large[1]
    monkeypatch.setattr(model_needs, "free_memory", lambda: GIB)
    assert "cannot be served here: it needs about" in next(model_findings())[1]


def test_waiting_is_never_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with timed_bar(Console(), "converting", 42.0):
        assert "converting: about 42 s" in capsys.readouterr().out
