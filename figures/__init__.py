"""Figures, tables and reports, drawn from run folders alone.

From the ground upwards: `fonts`, `stats` (plain arrays), `results` (what the runs say), `plots`
(one file per figure), `report` and `audit` (pages). May import `nasarena.search` and nothing else
of ours; never a searcher, a proxy or torch.
"""
