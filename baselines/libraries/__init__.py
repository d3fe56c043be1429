"""Searchers that are a library's own: Optuna, Nevergrad, SMAC. May import the folder above."""
