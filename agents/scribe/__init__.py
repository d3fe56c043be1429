"""The embedded agent: a small language model that proposes patterns, and how it was made.

`landscapes`, `teacher` and `data` make its lessons, `train` teaches it, `local` runs its weights in
this process. Imports `agents.operators`, `agents.surrogates`, `agents.context`,
`agents.llm` and `nasarena.search` only; torch and transformers only where they are used.
"""
