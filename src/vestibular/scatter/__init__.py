"""One experiment on many machines: each training and exam a job of an engine that exists.

DVC's run-cache carries the results, and the engine (processes here, Slurm, Ray) says which job runs
when and where. May import `clones`, `core` and `params`.
"""
