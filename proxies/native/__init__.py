"""The kernels of the CPU: C++ sources, their compilation, and a training step made of them.

Imports `proxies.models`, `proxies.data` and search only.
"""
