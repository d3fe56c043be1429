"""What scores a pattern: trained models, and synthetic landscapes with a known optimum.

The files here are the proxies. They stand on `training`, which stands on `models` (what a pattern
becomes), `native` (the same in C++), `data` and `mad` (what it is trained on). May import
`nasarena.search` and nothing else of ours; never asks who proposed a pattern.
"""
