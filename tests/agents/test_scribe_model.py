"""The embedded agent: its tokenizer, its forward pass, its training, and the shipped model."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers")
pytest.importorskip("tokenizers")

import torch
from tiny_scribe import TINY
from transformers import AutoTokenizer, Qwen3ForCausalLM

from nasarena.agents.context import compact_prompt as compact
from nasarena.agents.scribe import train as training
from nasarena.agents.scribe.batches import IGNORE, encode, shard_batches
from nasarena.agents.scribe.card import MODEL_DIR, prompt_options
from nasarena.agents.scribe.data import Lesson, shard
from nasarena.agents.scribe.decoder import Cache, Decoder
from nasarena.agents.scribe.network import layer_parts, token_losses
from nasarena.agents.scribe.training_settings import Settings
from nasarena.agents.scribe.vocabulary import (
    CLOSING,
    END,
    EXPECTED,
    HYPOTHESIS,
    OPENING,
    PATTERN,
    Reply,
    build_tokenizer,
    prompt_text,
    save_tokenizer,
)
from nasarena.agents.scribe.writer import Writer
from nasarena.search.errors import InvalidSetting
from nasarena.search.space import PatternSpace
from nasarena.search.trial import Trial

SPACE = PatternSpace("AMS", 16)
shipped = pytest.mark.skipif(
    not (MODEL_DIR / "model.safetensors").exists(), reason="no trained model, run make train-scribe"
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of random weights, as training would save it."""
    folder = tmp_path_factory.mktemp("tiny")
    untrained = training.Training(TINY)
    random = torch.Generator().manual_seed(0)
    for layer in untrained.model.model.layers:  # which start as the identity and would show nothing
        for part in (layer.self_attn.o_proj, layer.mlp.down_proj):
            part.weight.data.normal_(0, 0.1, generator=random)
    training.save(untrained, folder)
    return folder


def history(num: int, seed: int = 0) -> str:
    rng = np.random.default_rng(seed)
    trials = [Trial(i, SPACE.sample(rng), "ok", float(rng.normal())) for i in range(num)]
    return compact.render(SPACE, trials)


@pytest.mark.parametrize(
    "text",
    [
        history(12),
        Reply(" 5M 11A", "better", "AMSAMSAMSAMSAMSA").text(),
        'h\u00e9llo "x"\n w\u00f6rld 99Z {"a": [1, 2.5e-3]}\n5\n123 \u4e2d\u6587 \U0001f600',
        '{"evidence":"a","lesson":"b\\n"}',
        "",
    ],
)
def test_any_text_survives_the_tokenizer(text: str) -> None:
    tokenizer = build_tokenizer()
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_each_decision_is_one_token() -> None:
    tokenizer = build_tokenizer()
    tokens = tokenizer.encode(Reply(" 5M 11A", "better", "AMS", " by +12%").text() + END).tokens
    fixed = {OPENING, HYPOTHESIS, EXPECTED, PATTERN, CLOSING, END}
    decided = [token for token in tokens if token.replace("\u0120", " ") not in fixed]
    assert decided == [
        *("2", "\u01205M", "\u012011A", "\u0120by\u0120+12%", "better", "A", "M", "S")
    ]
    assert "\u010a87" in tokenizer.encode("\n87 5M").tokens


def test_the_chat_template_is_the_text_trained_on(tmp_path: Path) -> None:
    save_tokenizer(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    messages = [{"role": "system", "content": "ignored"}, {"role": "user", "content": history(3)}]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert text == prompt_text(history(3))
    assert tokenizer(text)["input_ids"] == build_tokenizer().encode(text).ids


def test_numpy_and_transformers_agree(tiny: Path) -> None:
    model = Qwen3ForCausalLM.from_pretrained(tiny).eval()
    ids = np.random.default_rng(0).integers(model.config.vocab_size, size=90).tolist()
    with torch.inference_mode():
        expected = model(torch.tensor([ids])).logits[0].numpy()
    cache, decoder = Cache(), Decoder(tiny)
    pieces = [decoder.extend(cache, ids[a:b], b - a) for a, b in ((0, 50), (50, 51), (51, 90))]
    np.testing.assert_allclose(np.vstack(pieces), expected, atol=2e-5)


def _loss(model: Qwen3ForCausalLM, row: np.ndarray) -> tuple[float, float]:  # type: ignore[type-arg]
    """The summed weighted loss of one lesson and the sum of its weights."""
    losses, weights, _ = token_losses(model, training.Batch(*row[:, None]), 0.3)
    return float((losses * weights).sum().item()), float(weights.sum().item())


def test_replies_behind_one_prompt_do_not_see_one_another(tiny: Path) -> None:
    """The packed loss equals that of each reply alone behind its prompt."""
    lesson = next(lesson for lesson in shard(1, 0, num_runs=1) if len(lesson.replies) == 6)
    tokenizer = build_tokenizer()
    model = Qwen3ForCausalLM.from_pretrained(tiny).eval()
    whole = _loss(model, encode(tokenizer, lesson))
    parts = []
    for number, reply in enumerate(lesson.replies):
        row = encode(tokenizer, Lesson(lesson.prompt, (reply,)))
        if number:  # only its rationale counts, and the prompt's own target only once
            kept = len(tokenizer.encode(reply.rationale()).ids) - 1
            row = row[:, : (row[2] == 0).sum() + kept]
            row[3, row[2] == 0] = IGNORE
        parts.append(_loss(model, row))
    for probe in lesson.probes:  # alone, its gain is the one target
        row = encode(tokenizer, Lesson(lesson.prompt, (), (probe,)))
        row[3, row[2] == 0] = IGNORE
        assert (row[3] != IGNORE).sum() == 1
        assert tokenizer.decode([int(row[3].max())]) == probe.gain
        parts.append(_loss(model, row))
    assert len(lesson.probes) > 4
    assert whole == pytest.approx(tuple(np.sum(parts, axis=0)), rel=5e-3)


def test_batches_are_deterministic_and_hold_every_lesson_once() -> None:
    batches = shard_batches(3, 0, 4000, 2)
    again = shard_batches(3, 0, 4000, 2)
    assert all((a.ids_BT == b.ids_BT).all() for a, b in zip(batches, again, strict=True))
    assert sum(len(batch.ids_BT) for batch in batches) == len(shard(3, 0, 2))
    assert all(batch.ids_BT.size <= 4000 for batch in batches)
    opening = build_tokenizer().token_to_id(OPENING.replace(" ", "\u0120"))
    assert all(
        (batch.targets_BT == opening).sum(1).tolist() == [1] * len(batch.ids_BT)
        for batch in batches
    )


@pytest.mark.filterwarnings("ignore")  # worker processes of an interrupted run
def test_an_interrupted_training_ends_in_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = training.train(TINY, tmp_path / "straight.pt", every=2)
    learn = training.Training.learn

    def interrupt(self: training.Training, batch: training.Batch) -> tuple[float, float]:
        if self.step == 3:
            raise KeyboardInterrupt
        return learn(self, batch)

    monkeypatch.setattr(training.Training, "learn", interrupt)
    with pytest.raises(KeyboardInterrupt):
        training.train(TINY, tmp_path / "broken.pt", every=2)
    monkeypatch.undo()
    resumed = training.train(TINY, tmp_path / "broken.pt", every=2)
    for one, other in zip(straight.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert [p["loss"] for p in straight.curve] == [p["loss"] for p in resumed.curve]


def test_a_checkpoint_of_other_settings_is_refused() -> None:
    state = training.Training(TINY).state()
    with pytest.raises(ValueError, match="other settings"):
        training.Training(Settings()).load(state)


def test_a_model_says_how_it_is_asked_and_answers(tiny: Path, tmp_path: Path) -> None:
    assert prompt_options(tiny) == {"prompt": "compact", "lines": training.LINES}
    assert prompt_options(tmp_path) == {"prompt": "compact"}  # one that says nothing
    (tmp_path / "training.json").write_text('{"settings": {"lines": 48}}')
    assert prompt_options(tmp_path)["lines"] == 48


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_even_random_weights_keep_the_contract(tiny: Path, temperature: float) -> None:
    writer = Writer(tiny)
    for num in (0, 1, 9):
        written = writer.write(history(num), SPACE, temperature, np.random.default_rng(num))
        reply = json.loads(written.text)
        assert list(reply) == ["name", "hypothesis", "expected", "pattern"]
        assert len(reply["name"]) <= 40 and len(reply["hypothesis"]) <= 200
        assert reply["expected"] in ("better", "same", "worse")
        assert reply["pattern"] in SPACE


def test_drafting_changes_nothing(tiny: Path) -> None:
    """The same text as a plain greedy decoding by transformers, one token after the other."""
    model = Qwen3ForCausalLM.from_pretrained(tiny).eval()
    writer, tokenizer = Writer(tiny), build_tokenizer()
    written = writer.write(history(5), SPACE, 0.0, np.random.default_rng(0))
    ids = tokenizer.encode(prompt_text(history(5)) + written.text.rsplit('"', 2)[0] + '"').ids
    letters = [tokenizer.token_to_id(letter) for letter in SPACE.alphabet]
    pattern = ""
    with torch.inference_mode():
        for _ in range(16):
            logits = model(torch.tensor([ids])).logits[0, -1, letters]
            ids.append(letters[int(logits.argmax())])
            pattern += SPACE.alphabet[int(logits.argmax())]
    assert json.loads(written.text)["pattern"] == pattern


def test_what_it_never_learned_is_refused_in_one_line(tiny: Path) -> None:
    writer, rng = Writer(tiny), np.random.default_rng(0)
    for space in (PatternSpace("AMS", 41), PatternSpace("AKU", 8)):
        with pytest.raises(InvalidSetting, match="choose another model"):
            writer.write(compact.render(space, []), space, 0.0, rng)


def test_layers_follow_a_pattern_of_our_own_space() -> None:
    assert layer_parts("AMAM") == [(True, True)] * 2
    parts = [(True, False), (True, True), (False, True), (True, False)]
    assert layer_parts("AAMMA") == parts
    for wrong in ("", "AS", "am"):
        with pytest.raises(ValueError, match="letters A and M"):
            layer_parts(wrong)


def test_what_a_pattern_leaves_out_stays_zero(tmp_path: Path) -> None:
    settings = replace(TINY, layers="AMM")
    taught = training.Training(settings)
    for batch in shard_batches(0, 0, 2000, 1)[:3]:
        taught.learn(batch)
    first, second = taught.model.model.layers
    assert not second.self_attn.o_proj.weight.any() and second.mlp.down_proj.weight.any()
    assert first.self_attn.o_proj.weight.any()
    training.save(taught, tmp_path)
    plain = Qwen3ForCausalLM.from_pretrained(tmp_path).eval()
    ids = torch.arange(30)[None]
    logits = Decoder(tmp_path).extend(Cache(), ids[0].tolist(), 30)
    with torch.inference_mode():
        np.testing.assert_allclose(logits, plain(ids).logits[0].numpy(), atol=2e-5)


@shipped
def test_the_shipped_model_is_small_and_says_how_it_was_made() -> None:
    size = sum(path.stat().st_size for path in MODEL_DIR.iterdir())
    record = json.loads((MODEL_DIR / "training.json").read_text())
    assert size < 12_000_000
    assert 1e6 <= record["num_parameters"] <= 4e6
    assert re.search("(?i)limits", (MODEL_DIR / "README.md").read_text())


@shipped
def test_the_shipped_model_does_what_it_says() -> None:
    """Its pattern is the best one with the changes that it names, new, and the same every time."""
    writer = Writer()
    kept = 0
    for seed in range(20):
        text = history(10, seed)
        written = writer.write(text, SPACE, 0.0, np.random.default_rng(0))
        assert written.text == writer.write(text, SPACE, 0.0, np.random.default_rng(1)).text
        reply = json.loads(written.text)
        pattern = [change[-1] for change in text.split("\n")[1].split()[1:]]
        for change in reply["hypothesis"].partition(" by ")[0].split()[1:]:
            pattern[int(change[:-1]) - 1] = change[-1]
        kept += "".join(pattern) == reply["pattern"]
    assert kept >= 18


@shipped
def test_the_shipped_model_climbs_where_random_search_does_not() -> None:
    """On distance to a hidden pattern, a family that it never trained on."""
    writer, won = Writer(), 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        hidden = SPACE.sample(rng)
        trials = [Trial(i, p, "ok", _closeness(p, hidden)) for i, p in enumerate(_random(rng, 4))]
        for index in range(4, 40):
            text = writer.write(compact.render(SPACE, trials), SPACE, 1.0, rng).text
            pattern = json.loads(text)["pattern"]
            trials.append(Trial(index, pattern, "ok", _closeness(pattern, hidden)))
        drawn = max(_closeness(pattern, hidden) for pattern in _random(rng, 40))
        won += max(t.score or 0 for t in trials) > drawn
    assert won >= 4


def _closeness(pattern: str, hidden: str) -> float:
    return -float(SPACE.hamming(pattern, hidden))


def _random(rng: np.random.Generator, num: int) -> list[str]:
    return [SPACE.sample(rng) for _ in range(num)]
