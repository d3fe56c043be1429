"""Searchers of libraries on lists of edits: one mixed space of numbers and choices."""
