"""How probable a model finds continuations of contexts: sums of log-probabilities of their tokens.

As `lm-eval` does it: context and continuation are encoded as one text, its tokens after those of
the context alone are the continuation's, and blanks at the end of a context count to what follows.
Sequences of similar length make a batch; what fills them up comes after all that is asked for, and
no layer looks ahead.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nasarena.experiments.scaling.task_requests import Request
from nasarena.proxies.scaled.model import ScaledModel
from nasarena.search.errors import InvalidSetting

Encode = Callable[[str], list[int]]
_MOST_TOKENS = 8_192  # of a batch
_MOST_LOGITS = 2**26  # of a batch, 256 MiB


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Of one continuation: the sum in nats, and whether each token is the most probable one."""

    log_probability: float
    num_tokens: int
    is_greedy: bool


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Of context and continuation together, `num_asked` of them the continuation's."""

    place: int
    ids: list[int]
    num_asked: int


def text_encoder(definition: str | None) -> Encode:
    """Text to token ids, no special ones added; `definition` as `Cell.tokenizer`, None: bytes."""
    if definition is None:
        return lambda text: list(text.encode())
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(definition)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: list(tokenizer.encode(text, add_special_tokens=False).ids)


def score_requests(
    model: ScaledModel,
    encode: Encode,
    requests: Sequence[Request],
    max_length: int | None = None,
    watch: Callable[[int], None] = lambda done: None,
) -> list[Likelihood]:
    """The likelihoods in the order of `requests`; `watch` is told how many more are done.

    Of a text longer than `max_length` tokens the beginning is left out. Raises InvalidSetting for a
    continuation without tokens or without a token before it.
    """
    tokens = [_tokenize(place, each, encode, max_length) for place, each in enumerate(requests)]
    found: dict[int, Likelihood] = {}
    for batch in _batches(tokens, model.shape.vocab_size):
        likelihoods = _score(model, batch)
        found |= {each.place: one for each, one in zip(batch, likelihoods, strict=True)}
        watch(len(batch))
    return [found[place] for place in range(len(requests))]


def _tokenize(place: int, request: Request, encode: Encode, max_length: int | None) -> _Tokens:
    context = request.context.rstrip()
    blanks = request.context[len(context) :]
    ids = encode(context + blanks + request.continuation)
    num_asked = len(ids) - len(encode(context))
    if not 0 < num_asked < len(ids):
        raise InvalidSetting(
            f"a request must have tokens before and in its continuation, got "
            f"{len(ids) - num_asked} and {num_asked} for {request.continuation[:40]!r}"
        )
    if max_length is not None:
        # The last token is predicted only, never read.
        ids = ids[-(max_length + 1) :]
        num_asked = min(num_asked, len(ids) - 1)
    return _Tokens(place, ids, num_asked)


def _batches(tokens: Sequence[_Tokens], vocab_size: int) -> Iterator[list[_Tokens]]:
    """Longest first, so that memory runs out at once if it does."""
    most = min(_MOST_TOKENS, _MOST_LOGITS // vocab_size)
    batch: list[_Tokens] = []
    for each in sorted(tokens, key=lambda one: len(one.ids), reverse=True):
        if batch and (len(batch) + 1) * len(batch[0].ids) > most:
            yield batch
            batch = []
        batch.append(each)
    if batch:
        yield batch


def _score(model: ScaledModel, batch: Sequence[_Tokens]) -> list[Likelihood]:
    device = model.embedding.weight.device
    length = len(batch[0].ids)
    rows = [each.ids + [0] * (length - len(each.ids)) for each in batch]
    tokens_BT = torch.tensor(rows, device=device)
    with torch.inference_mode():
        logits_BTV = model(tokens_BT[:, :-1])
        return [
            _likelihood(logits_TV[: len(each.ids) - 1][-each.num_asked :], ids_T[: len(each.ids)])
            for each, logits_TV, ids_T in zip(batch, logits_BTV, tokens_BT, strict=True)
        ]


def _likelihood(logits_NV: Tensor, ids_T: Tensor) -> Likelihood:
    """Of the last N tokens, from the scores `(N, V)` at the positions before them."""
    asked_N = ids_T[-len(logits_NV) :]
    total = -F.cross_entropy(logits_NV.float(), asked_N, reduction="sum")
    is_greedy = bool((logits_NV.argmax(-1) == asked_N).all())
    return Likelihood(float(total), len(asked_N), is_greedy)
