"""One training of a population: steps, batches, checkpoints, memory, devices.

Imports `proxies.native`, `proxies.mad`, `proxies.models` and `proxies.data`, and search.
"""
