"""Checks in other environments than ours: another torch, the packages of a GPU machine.

Imports what measure may; `gpu_machine.py` runs before anything of ours can be imported.
"""
