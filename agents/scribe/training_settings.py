"""The settings of the embedded agent's training: all that its weights depend on."""

from dataclasses import dataclass

from nasarena.agents.scribe.data import DEFAULT, Teaching


@dataclass(frozen=True, slots=True)
class Settings:
    """A step is one batch of lessons; shapes are those of the network."""

    seed: int = 0
    steps: int = 6000
    batch_tokens: int = 4096
    shard_runs: int = 64
    learning_rate: float = 8e-3  # of Muon, matched to AdamW's size of updates
    embedding_rate: float = 3e-3  # of AdamW
    weight_decay: float = 0.02
    prompt_weight: float = 0.3  # of a token of the prompt in the loss; one of a reply has 1
    warmup: float = 0.02  # share of the steps
    decay: float = 0.4
    width: int = 128
    layers: str = "AMAMAMAMAM"
    heads: int = 4
    mlp: int = 384
    by_truth: int = DEFAULT.by_truth
    probes: int = DEFAULT.probes
    lines: int = DEFAULT.lines

    @property
    def teaching(self) -> Teaching:
        """What a lesson holds."""
        return Teaching(by_truth=self.by_truth, probes=self.probes, lines=self.lines)

    def rate(self, step: int) -> float:
        """Learning rate of a step, as a share of `learning_rate`."""
        done = (step + 1) / self.steps
        return min(1.0, done / self.warmup, max(1.0 - step / self.steps, 0.0) / self.decay)
