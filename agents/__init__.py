"""LLM agents as searchers. May import `nasarena.search` and nothing else of ours."""
