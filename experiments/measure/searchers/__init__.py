"""Searchers on synthetic landscapes and tables: their settings, and how they do."""
