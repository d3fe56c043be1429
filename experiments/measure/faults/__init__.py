"""Attacks that take too long for the tests, one kind a module: what was tried, and what held.

May import all of `nasarena.experiments.measure` and what that may import.
"""
