"""Encoders in Flax: the same function as in PyTorch, and scored in the sandbox."""

import importlib.util
import re
from typing import Any

import numpy as np
import pytest
import torch

from nasarena.experiments.design.ground import space_of
from nasarena.experiments.settings.commands import design_settings
from nasarena.proxies.lra import programs
from nasarena.proxies.lra.catalogue import frame, render
from nasarena.proxies.lra.preset import LraSettings
from nasarena.proxies.lra.programs import frame_of, framework_of, program_space
from nasarena.proxies.sandbox.levels import why_missing
from nasarena.search.errors import InvalidPattern, InvalidSetting
from nasarena.search.proxy import TrialSeed

TASK = "lra-listops"
needs_flax = pytest.mark.skipif(importlib.util.find_spec("flax") is None, reason="no Flax")


def test_where_flax_is_missing_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find_spec", lambda name: None)
    program_space.cache_clear()
    asked = ["task=lra-text", "mode=code", "framework=flax"]
    with pytest.raises(InvalidSetting, match=r"pip install 'nasarena\[flax\]'"):
        space_of(design_settings(asked))
    program_space.cache_clear()
    for wrong in (["task=lra-text", "framework=flax"], ["framework=flax", "mode=code"]):
        with pytest.raises(InvalidSetting, match="framework"):
            space_of(design_settings(wrong))


@needs_flax
def test_programs_import_flax_and_no_torch() -> None:
    space = program_space(TASK, "fixed", "tiny", "flax")
    assert framework_of(space) == "flax" and list(space.known_candidates())[0] == "Transformer"
    with pytest.raises(InvalidPattern, match="may import jax, flax"):
        space.validate("import torch\ndef build(config): return None\n")


def _names(source: str, around: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "program"}
    exec(source, names)
    outer = {"build": names["build"], "SETTINGS": {}}
    exec(around, outer)
    return outer


def _as_flax(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """The weights of the PyTorch classifier under the names of the one in Flax."""
    found = {name: weight.numpy() for name, weight in state.items()}

    def dense(name: str, bias: bool = True) -> dict[str, Any]:
        kernel = {"kernel": found[f"{name}.weight"].T}
        return kernel | ({"bias": found[f"{name}.bias"]} if bias else {})

    def norm(name: str) -> dict[str, Any]:
        return {"scale": found[f"{name}.weight"], "bias": found[f"{name}.bias"]}

    encoder: dict[str, Any] = {"positions": found["encoder.positions"],
                               "norm": norm("encoder.norm")}  # fmt: skip
    for number in range(2):
        at = f"encoder.layers.{number}"
        encoder[f"layer_{number}"] = {
            "mixer": {"qkv": dense(f"{at}.mixer.part.qkv", False),
                      "out": dense(f"{at}.mixer.part.out", False)},
            "norm_mixer": norm(f"{at}.mixer.norm"), "norm_mlp": norm(f"{at}.mlp.norm"),
            "up": dense(f"{at}.mlp.part.up"), "down": dense(f"{at}.mlp.part.down"),
        }  # fmt: skip
    return {"params": {"Embed_0": {"embedding": found["embedding.weight"]}, "Encoder_0": encoder,
                       "head": dense("head.0"), "labels": dense("head.2")}}  # fmt: skip


@needs_flax
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "edits"), [("Transformer", "default"),
                                             ("linear attention", "mixer=linear")])  # fmt: skip
def test_an_encoder_in_flax_is_the_function_that_it_is_in_pytorch(name: str, edits: str) -> None:
    torch.manual_seed(0)
    script: dict[str, Any] = {"__name__": "candidate"}
    exec(frame(render(edits, TASK, size="tiny"), TASK, "fixed", "tiny"), script)
    model = script["build_model"](256, 48).eval()
    source = program_space(TASK, "fixed", "tiny", "flax").known_candidates()[name]
    around = _names(source, frame_of(TASK, "fixed", "tiny", "flax"))
    variables = _as_flax(model.state_dict())
    tokens = np.random.default_rng(0).integers(1, 17, (3, 48)).astype(np.int32)
    tokens[1, 20:] = 0
    answers = around["make_answers"](256, variables)(tokens)
    with torch.no_grad():
        expected = model(torch.from_numpy(tokens).long()).numpy()
    np.testing.assert_allclose(np.asarray(answers), expected, atol=1e-5, rtol=1e-4)


@needs_flax
@pytest.mark.skipif(bool(why_missing("landlock")), reason=why_missing("landlock"))
def test_a_program_in_flax_is_trained_and_scored() -> None:
    space = program_space(TASK, "fixed", "tiny", "flax")
    proxy = LraSettings(clock="steps", amount=2, size="tiny").build(space, TASK)
    given = space.drafts[0][1]
    large = given.replace("self.mlp_width, name", "99, name")
    broken = given.replace("(self.length, self.width)", "(self.length, 7)")
    assert given not in (large, broken)
    found, refused, failed = proxy.evaluate([given, large, broken], [TrialSeed(0)] * 3)
    assert found.status == "ok", found
    assert found.metrics["num_parameters"] == 28010
    assert 0 <= found.metrics["accuracy"] <= 1 and found.metrics["loss"] < 4
    assert refused.note == "ValueError: 32560 parameters and buffers, more than the 30811 allowed"
    assert re.fullmatch(
        r"ValueError: Incompatible shapes .*7.* \(line \d+ of __call__\)", failed.note
    ), failed.note
