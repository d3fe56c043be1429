"""`nasarena check proxy=my_file.py:my_proxy`: does a proxy keep the contract?"""

from collections.abc import Iterator, Sequence

from nasarena.experiments.commands.conformance import Finding
from nasarena.experiments.execution.scoring import build_proxy
from nasarena.experiments.settings.commands import evaluate_settings
from nasarena.proxies.contract import BrokenContract, ContractQuestions
from nasarena.search.errors import NasArenaError


def examine_proxy(arguments: Sequence[str]) -> Iterator[Finding]:
    """The answer to every question, in order; `arguments` are those of `nasarena evaluate`.

    A proxy without noise is one as well, and that is said. Raises InvalidSetting for one that
    cannot be found or built.
    """
    config = evaluate_settings(arguments)
    questions = ContractQuestions(build_proxy(config.proxy, config.space, cache=False))
    try:
        is_noisy = questions.is_noisy
    except Exception:  # the questions say in which way it does not work
        is_noisy = True
    for question, ask in questions.ask(is_noisy):
        try:
            ask()
        except (BrokenContract, NasArenaError) as error:
            yield Finding(question, False, str(error))
        except Exception as error:  # of somebody else's code
            yield Finding(question, False, f"{type(error).__name__}: {error}")
        else:
            yield Finding(question, True)
