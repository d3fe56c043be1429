"""The task `autoresearch`: a training script of a small language model, changed by edits or as a
whole. Imports `data` and `programs`.
"""
