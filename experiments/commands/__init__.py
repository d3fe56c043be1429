"""The command line, one file per command.

Imports every folder of `experiments` but `measure` and `benchmarks`.
"""
