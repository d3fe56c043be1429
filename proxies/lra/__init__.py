"""Three tasks in the form of Long Range Arena (Tay et al. 2020, arXiv 2011.04006): an encoder of
long sequences between a fixed embedding and a fixed head. Imports `programs`.
"""
