"""`nasarena browse`: one page over all results, or two comparisons side by side."""
