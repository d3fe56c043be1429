"""Text read in parts gives the scores of the whole, and memory is what layers say it is."""

from dataclasses import replace

import pytest
import torch

from nasarena.proxies.scaled.decoding import begin_decoding, extend
from nasarena.proxies.scaled.model import ScaledModel, build_model
from nasarena.proxies.scaled.shape import ScaledShape
from nasarena.search.errors import InvalidSetting

SHAPE = ScaledShape(
    width=16, num_heads=4, num_kv_heads=2, head_dim=6, mlp="swiglu", mlp_hidden=24, mamba_heads=6,
    mamba_head_dim=5, mamba_state=3, mamba_groups=2, vocab_size=40,
)  # fmt: skip


def model_of(pattern: str, shape: ScaledShape) -> ScaledModel:
    """Beside its start, so that no norm is one and no bias zero."""
    model = build_model(pattern, shape, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor += 0.2 * torch.randn(tensor.shape, generator=generator)
    return model


@pytest.mark.parametrize("parts", [[1] * 12, [70, 1, 1, 68, 1], [3, 100, 2, 1, 1]])
@pytest.mark.parametrize(
    ("pattern", "changes"),
    [
        ("SAMS", {}),
        ("AAS", {"rotary": False, "tied_embeddings": True, "mlp": "relu2"}),
        ("MSA", {"num_kv_heads": 4, "mamba_groups": 1, "mamba_conv": 2}),
    ],
)
def test_parts_give_the_scores_of_the_whole(
    pattern: str, changes: dict[str, object], parts: list[int]
) -> None:
    """More than one chunk of the scan, 64 positions, in one part and over several."""
    model = model_of(pattern, replace(SHAPE, **changes))  # type: ignore[arg-type]
    tokens = torch.randint(40, (2, sum(parts)), generator=torch.Generator().manual_seed(2))
    memory = begin_decoding(model, batch_size=2, capacity=sum(parts))
    with torch.inference_mode():
        whole = model(tokens)
    at = 0
    for part in parts:
        scores = extend(model, memory, tokens[:, at : at + part])
        at += part
        torch.testing.assert_close(scores, whole[:, at - 1], rtol=0, atol=1e-4)
    assert memory.num_read == at


def test_memory_is_counted_by_hand() -> None:
    """Two attention layers: 2 x 2 heads x 10 x 6; one Mamba-2: 3 x (30 + 12) and 6 x 3 x 5."""
    memory = begin_decoding(build_model("ASMA", SHAPE, seed=0), batch_size=3, capacity=10)
    assert memory.cache_bytes == 3 * 4 * 2 * (2 * 2 * 10 * 6)
    assert memory.state_bytes == 3 * 4 * (3 * 42 + 90)


def test_more_tokens_than_there_is_room_for_are_refused() -> None:
    model = build_model("AS", SHAPE, seed=0)
    memory = begin_decoding(model, batch_size=1, capacity=4)
    extend(model, memory, torch.zeros(1, 3, dtype=torch.long))
    with pytest.raises(InvalidSetting, match="at least 5 positions, got 4"):
        extend(model, memory, torch.zeros(1, 2, dtype=torch.long))
