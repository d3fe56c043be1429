"""Programs as candidates: a comparison of searchers on a task, and what a winner owes to what."""
