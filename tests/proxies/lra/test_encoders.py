"""Encoders: every edit runs, padding is not seen, mixers agree with formulas of their own."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from nasarena.proxies.lra import proxy as lra_proxy
from nasarena.proxies.lra import tasks
from nasarena.proxies.lra.catalogue import BASELINES, Variant, edit_space, frame, render
from nasarena.proxies.lra.examples import Examples, LabelledData
from nasarena.proxies.lra.preset import LraSettings
from nasarena.proxies.lra.proxy import EncoderProxy, measure_accuracy
from nasarena.proxies.programs.clocks import make_clock
from nasarena.proxies.programs.fork_trial import ForkTask, ForkVerdict
from nasarena.search.errors import InvalidSetting
from nasarena.search.proxy import TrialSeed

LISTOPS = "lra-listops"


def _script(candidate: str, task: str = LISTOPS, variant: Variant = "fixed") -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "candidate"}
    exec(frame(render(candidate, task, variant), task, variant, "cpu"), names)
    return names


def _one_edit_lists(variant: Variant) -> list[str]:
    """Every value of every choice and the ends of every number, each with what it requires."""
    space = edit_space(LISTOPS, variant)
    found = list(BASELINES.values())
    for edit in space.edits:
        needs: dict[str, str] = {}
        for name, allowed in edit.requires:
            if space.edit(name).default not in allowed:
                needs |= {name: allowed[0], **dict.fromkeys(["mixer"] * (name == "feature_map"),
                                                            "linear")}  # fmt: skip
        for value in edit.values or (edit.from_unit(0), edit.from_unit(1)):
            found.append(space.repair({**needs, edit.name: value}))
    return list(dict.fromkeys(found))


def test_every_edit_makes_a_program_that_reads_no_padding_and_trains_all_weights() -> None:
    torch.manual_seed(0)
    tokens = torch.randint(2, 17, (3, 48))
    tokens[:, 0] = 1
    tokens[0, 9:], tokens[1, 33:] = 0, 0
    sources = set()
    lists = _one_edit_lists("configurable")
    assert len(lists) > 80
    for candidate in lists:
        sources.add(render(candidate, LISTOPS, "configurable"))
        model = _script(candidate, variant="configurable")["build_model"](256, 48)
        logits = model(tokens)
        logits.square().sum().backward()
        missing = [name for name, weight in model.named_parameters() if weight.grad is None]
        assert not missing, candidate
        model.eval()
        with torch.no_grad():
            before = model(tokens)
            model.embedding.weight[0] += 3.0  # the vector of padding
            after = model(tokens)
        assert torch.isfinite(before).all(), candidate
        torch.testing.assert_close(before, after, atol=2e-5, rtol=1e-4, msg=candidate)
    assert len(sources) == len(lists)


def _mixer(candidate: str, name: str, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return _script(candidate)[name](32, 2)


@pytest.mark.parametrize(
    ("edits", "name"),
    [
        ("mixer=local window=32 positions=none", "LocalAttention"),
        ("mixer=longformer window=32 positions=none", "SparseAttention"),
        ("mixer=longformer window=8 global_tokens=4 positions=none", "SparseAttention"),
    ],
)
def test_blocks_as_wide_as_the_sequence_see_what_attention_sees(edits: str, name: str) -> None:
    length = 32 if "=32" in edits else 16  # a block of 8 and the one beside it
    x, mask = torch.randn(2, length, 32), torch.ones(2, length, dtype=torch.bool)
    mask[1, 11:] = False
    whole, blocks = _mixer("positions=none", "Attention"), _mixer(edits, name)
    blocks.load_state_dict(whole.state_dict())
    torch.testing.assert_close(blocks(x, mask)[mask], whole(x, mask)[mask])


def test_local_attention_sees_its_own_block_alone() -> None:
    part = _mixer("mixer=local window=8 positions=none", "LocalAttention")
    x, mask = torch.randn(1, 24, 32), torch.ones(1, 24, dtype=torch.bool)
    other = x.clone()
    other[:, 8:16] += 1
    moved = (part(x, mask) - part(other, mask)).abs().amax(dim=(0, 2)) > 1e-6
    assert moved.tolist() == [False] * 8 + [True] * 8 + [False] * 8


def test_longformer_sees_neighbours_and_global_places() -> None:
    part = _mixer("mixer=longformer window=4 global_tokens=2 positions=none", "SparseAttention")
    x, mask = torch.randn(1, 24, 32), torch.ones(1, 24, dtype=torch.bool)
    for place, seers in ((13, {0, 1, *range(8, 20)}), (1, set(range(24)))):
        other = x.clone()
        other[:, place] += 1
        moved = (part(x, mask) - part(other, mask)).abs().amax(dim=(0, 2)) > 1e-6
        assert set(torch.nonzero(moved).flatten().tolist()) == seers


def test_linear_attention_agrees_with_a_sum_over_pairs() -> None:
    part = _mixer("mixer=linear positions=none", "LinearAttention")
    x, mask = torch.randn(1, 7, 32), torch.tensor([[True] * 5 + [False] * 2])
    q, k, v = part.split(x)
    rows = torch.zeros_like(v)
    for i in range(7):
        weights = torch.stack([((torch.nn.functional.elu(q[:, :, i]) + 1)
                                * (torch.nn.functional.elu(k[:, :, j]) + 1)).sum(-1)
                               for j in range(5)])  # fmt: skip
        shares = weights / weights.sum(0)
        rows[:, :, i] = sum(shares[j][..., None] * v[:, :, j] for j in range(5))
    torch.testing.assert_close(part(x, mask), part.join(rows), atol=1e-5, rtol=1e-4)


def test_random_features_come_near_softmax_attention() -> None:
    exact = _mixer("positions=none", "Attention")
    part = _mixer("mixer=linear feature_map=random num_features=64 positions=none",
                  "LinearAttention")  # fmt: skip
    part.load_state_dict({**part.state_dict(), **exact.state_dict()})
    torch.manual_seed(1)
    x, mask = torch.randn(4, 20, 32), torch.ones(4, 20, dtype=torch.bool)
    with torch.no_grad():
        error = (part(x, mask) - exact(x, mask)).norm() / exact(x, mask).norm()
    assert float(error) < 0.25


@pytest.mark.parametrize("poles", ["complex", "real"])
def test_the_state_space_is_a_recurrence(poles: str) -> None:
    part = _mixer(f"mixer=ssm ssm_poles={poles} ssm_ways=one", "StateSpace")
    u = torch.randn(1, 32, 10)
    step, decay = part.step.exp()[:, None], part.decay.exp()
    turn = part.turn if poles == "complex" else torch.zeros_like(decay)
    factor = torch.exp(step * torch.complex(-decay, turn))
    read = part.read[0] if poles == "real" else torch.view_as_complex(part.read[0].contiguous())
    scale = 1 - torch.exp(-step * decay)
    state, found = torch.zeros_like(factor), []
    for place in range(10):
        state = factor * state + u[0, :, place, None]
        found.append((read * scale * state).sum(-1).real)
    by_hand = torch.stack(found, dim=-1)
    torch.testing.assert_close(part.convolve(u, part.kernel(10)[0])[0], by_hand, atol=1e-5,
                               rtol=1e-4)  # fmt: skip


def test_neighbours_become_one_place_by_hand() -> None:
    halve = _script("downsample=2")["halve"]
    x = torch.tensor([[[1.0], [3.0], [5.0], [7.0], [9.0]]])
    made, mask = halve(x, torch.tensor([[True, True, True, False, False]]))
    assert made.flatten().tolist() == [2.0, 5.0, 0.0]
    assert mask.tolist() == [[True, True, False]]


def test_fixed_models_have_the_given_sizes_and_pairs_share_an_encoder() -> None:
    script = _script("default", "lra-retrieval")
    model = script["build_model"](256, 96)
    one, other = torch.randint(2, 255, (2, 3, 96))
    both, swapped = model(torch.cat([one, other], 1)), model(torch.cat([other, one], 1))
    assert both.shape == (3, 2)
    assert not torch.allclose(both, swapped)
    names = [edit.name for edit in edit_space(LISTOPS).edits]
    assert not {"depth", "width", "heads", "rate", "batch", "dropout"} & set(names)


@pytest.mark.parametrize("task", tasks.TASKS)
def test_a_step_of_training_moves_all_weights(task: str) -> None:
    size, script = tasks.SIZES[task, "tiny"], _script("default", task)
    torch.manual_seed(0)
    model = script["build_model"](256, size.length)
    before = [weight.detach().clone() for weight in model.parameters()]
    rows = torch.randint(2, 17, (40, 1 + size.num_documents * size.length), dtype=torch.uint8)
    rows[:, 0] %= size.num_classes
    with make_clock("steps", 2) as clock:
        script["train"](model, rows.flatten(), clock)
    moved = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert all(moved)


def test_settings_of_a_program_count_in_the_configurable_variant_alone() -> None:
    encoder = render("rate=0.01 batch=8", LISTOPS, "configurable")
    for variant, rate in (("fixed", 0.002), ("configurable", 0.01)):
        names: dict[str, Any] = {"__name__": "candidate"}
        exec(frame(encoder, LISTOPS, variant, "cpu"), names)  # type: ignore[arg-type]
        assert names["_SETTINGS"]["rate"] == rate


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> LabelledData:
    """In the form of ListOps, few and easy: most tokens of a row are its label."""
    rng = np.random.default_rng(0)

    def draw(count: int) -> Examples:
        labels = rng.integers(0, 10, count).astype(np.uint8)
        others = rng.integers(2, 12, (count, 48)).astype(np.uint8)
        inputs = np.where(rng.random((count, 48)) < 0.7, labels[:, None] + 2, others)
        inputs[:, 0] = 1
        return Examples(inputs.astype(np.uint8), labels)

    data = LabelledData({"train": draw(300), "search": draw(60), "held_out": draw(60)},
                        tuple("0123456789"), "drawn")  # fmt: skip
    monkeypatch.setattr(lra_proxy, "load_data", lambda *given: data)
    return data


def _proxy(variant: Variant = "fixed", amount: float = 1) -> EncoderProxy:
    settings = LraSettings(clock="steps", amount=amount, variant=variant)
    return settings.build(edit_space(LISTOPS, variant), LISTOPS)


def test_ten_percent_more_parameters_are_refused_where_sizes_are_given(
    small: LabelledData,
) -> None:
    large = "mixer=ssm ssm_states=16 ssm_gate=on"
    (found,) = _proxy().evaluate([large], [TrialSeed(0)])
    assert (found.status, found.score) == ("failed", None)
    assert found.note == "ValueError: 32234 parameters, more than the 30811 allowed"
    (free,) = _proxy("configurable").evaluate([large], [TrialSeed(0)])
    assert free.status == "ok"
    assert _proxy().max_parameters == int(1.1 * 28010)
    (exact,) = _proxy().evaluate(["mixer=ssm"], [TrialSeed(0)])
    assert exact.status == "ok"


def test_a_training_gets_no_label_but_its_own(
    small: LabelledData, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, ForkTask]] = []

    def look(source: str, task: ForkTask, seed: int) -> ForkVerdict:
        given.append((source, task))
        return ForkVerdict(0.5)

    monkeypatch.setattr(lra_proxy, "judge_in_forks", look)
    for split in ("search", "held_out"):
        _proxy().evaluate(["default"], [TrialSeed(0)], split)  # type: ignore[arg-type]
    rows = small.splits["train"].rows().reshape(300, 49)
    assert (rows[:, 0] == small.splits["train"].labels).all()
    for (_, task), split in zip(given, ("search", "held_out"), strict=True):
        assert task.train.tobytes() == rows.tobytes()
        assert task.inputs.tobytes() == small.splits[split].inputs.tobytes()
        assert task.inputs.shape == (60, 48)
    assert given[0][0] == given[1][0]  # nor does a script know which split it is scored on


def test_accuracy_by_hand_and_of_what_can_be_learned(small: LabelledData) -> None:
    logits = np.array([[2, 1, 0], [0, 1, 2], [0, 3, 1], [5, 0, 0]], dtype=np.float32)
    accuracy, metrics = measure_accuracy(np.array([0, 2, 2, 0], dtype=np.uint8))(logits)
    assert accuracy == metrics["accuracy"] == 0.75
    (found,) = _proxy(amount=30).evaluate(["pooling=mean positions=none"], [TrialSeed(0)])
    assert found.score is not None
    assert found.score > 0.5  # chance is 0.1


def test_a_proxy_refuses_the_space_of_another_task() -> None:
    with pytest.raises(InvalidSetting, match="its own catalogue"):
        LraSettings().build(edit_space("lra-text"), LISTOPS)


def test_published_sizes_are_those_of_the_benchmark() -> None:
    found = {task: tasks.SIZES[task, "published"] for task in tasks.TASKS}
    assert found[LISTOPS].rules == tasks.ListOpsRules(10, 10, 500, 2000)
    assert found["lra-retrieval"] == replace(found["lra-retrieval"], length=4000, num_documents=2)
    assert {one.batch for one in found.values()} == {32}
