"""A model of the embedded agent's kind that is made in a moment."""

from nasarena.agents.scribe.training_settings import Settings

TINY = Settings(steps=4, batch_tokens=2000, shard_runs=1, width=32, layers="AMAM", heads=2, mlp=48)
