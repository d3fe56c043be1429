"""LLM agents as searchers.

From the wire upwards: `llm` talks to a model, `context` decides what a prompt may show, `operators`
ask for one thing each, `policies` decide what to ask for, `scribe` is the embedded agent,
`surrogates` are models of scores, `hybrids` join a model with classical search; the files here make
searchers of them. May import `nasarena.search` and nothing else of ours.
"""
