"""Searchers that join a language model with classical machinery. Imports search and agents only."""
