"""What a pattern becomes: layers, the population of models, their shapes and FLOPs.

Imports `nasarena.search` and its own siblings only.
"""
