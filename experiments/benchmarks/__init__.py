"""One script per searcher, for people who benchmark one optimizer."""
