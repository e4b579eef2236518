"""One experiment on many machines: each training with its exam is a job of an existing engine.

DVC's run-cache carries the results. The engine (local processes, Slurm, Ray) decides when and where
each job runs. May import `clones`, `core` and `params`.
"""
