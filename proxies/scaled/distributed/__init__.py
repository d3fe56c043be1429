"""Training of one model by several processes: FSDP2 and the checkpoints of `torch.distributed`.

Imports the other files of `scaled`, and `nasarena.search`.
"""
