"""Searchers that are a library's own: Optuna, Nevergrad. May import the folder above."""
