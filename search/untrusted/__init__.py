"""What others wrote: their text on one line, their records checked, their links never followed.

Imports nothing of ours.
"""
