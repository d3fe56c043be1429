"""A Gaussian process over patterns with sequence kernels; imports `search` and `baselines`."""
