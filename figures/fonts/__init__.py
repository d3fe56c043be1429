"""The font of all figures, as files.

Imports nothing of ours.
"""
