"""How far a proxy can be trusted: what is varied, and the trainings that it takes.

Imports `experiments.execution` and `experiments.settings` only, of the folders of `experiments`.
"""
