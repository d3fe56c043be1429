"""`nasarena export CHECKPOINT DIR [tokenizer=FILE]`: a trained model for transformers and vLLM."""

from collections.abc import Sequence
from pathlib import Path

from nasarena.search.errors import InvalidSetting, UnknownSetting


def export(arguments: Sequence[str]) -> int:
    """0; raises InvalidSetting for what cannot be exported."""
    words = [argument for argument in arguments if "=" not in argument]
    settings = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    for name in settings:
        if name != "tokenizer":
            raise UnknownSetting(name, ["tokenizer"])
    if len(words) != 2:
        raise InvalidSetting(
            f"a checkpoint (or the folder of a cell) and a folder to write are expected, got "
            f"{' '.join(words) or 'nothing'}"
        )
    # With torch: not before the arguments are right.
    from nasarena.proxies.data.tokenizer import read_tokenizer
    from nasarena.proxies.scaled.cell_folder import TOKENIZER
    from nasarena.proxies.scaled.nemotron_export import export_model
    from nasarena.proxies.scaled.saved_model import find_checkpoint, load_model

    source, folder = find_checkpoint(Path(words[0])), Path(words[1])
    model, checkpoint = load_model(source)
    beside = source.with_name(TOKENIZER)
    named = settings.get("tokenizer") or (str(beside) if beside.exists() else None)
    definition = None if named is None else read_tokenizer(named).definition
    export_model(model, checkpoint, folder, definition)
    print(f"{model.num_parameters:,} parameters of {model.pattern} in {folder}")
    return 0
