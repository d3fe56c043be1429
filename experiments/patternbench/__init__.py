"""Building PatternBench: the designed sample, its training, the surrogates, the choice of one."""
