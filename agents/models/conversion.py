"""A GGUF file as a folder in transformers format: bfloat16 safetensors, tokenizer, configuration.

    python -m nasarena.agents.models.conversion FILE FOLDER

vLLM serves such a folder on any device. Quantized weights are written out in full, so the folder
takes two bytes a parameter. A process of its own, for the memory that it takes is gone with it.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nasarena.agents.llm.text import one_line
from nasarena.agents.models.errors import ModelUnavailable

# Every matrix is there in float32 before the model takes them over in bfloat16.
_BYTES_PER_PARAMETER, _LIBRARY_BYTES = 6, 2**30


def conversion_bytes(num_parameters: int) -> int:
    """How much memory converting a model takes, roughly."""
    return _BYTES_PER_PARAMETER * num_parameters + _LIBRARY_BYTES


def convert(file: Path, folder: Path) -> None:
    """Write `folder` from a GGUF file, in another process.

    Raises ModelUnavailable for a file that is damaged or of an unknown architecture, and where a
    library is missing.
    """
    words = [sys.executable, "-m", "nasarena.agents.models.conversion", str(file), str(folder)]
    asked = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if asked.returncode != 0:
        raise ModelUnavailable(f"{file} cannot be converted: {_reason(asked)}")


def _reason(asked: subprocess.CompletedProcess[str]) -> str:
    if asked.returncode < 0:  # what it wrote last is a progress bar
        return f"signal {-asked.returncode} ended it, which is lack of memory if nobody sent it"
    said = [line for line in asked.stderr.splitlines() if line.strip()]
    return one_line(said[-1], 240) if said else f"exit code {asked.returncode}"


def _write(file: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where, name = str(file.parent), file.name
    tokenizer = AutoTokenizer.from_pretrained(where, gguf_file=name)
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        where, gguf_file=name, dtype=torch.bfloat16, output_loading_info=True
    )
    model, found = loaded
    if found["missing_keys"]:  # they would be random
        raise ValueError(f"it lacks {', '.join(sorted(found['missing_keys'])[:3])}")
    # The weights are written out in full: nothing may say that they are quantized.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main(arguments: Sequence[str]) -> int:
    """Exit code 2 and a last line that says why."""
    file, folder = map(Path, arguments)
    try:
        _write(file.absolute(), folder)
    except Exception as error:  # whatever a library says of a file, its last words are shown
        print(f"{type(error).__name__}: {one_line(str(error), 240)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
