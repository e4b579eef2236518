"""The mirror: runs and model versions, shown to a service from the files that hold them.

`spools` and `outputs` read what there is into the `records`, and `pushing` gives a target
(`neptune_target`, `mlflow_target`) what it does not have yet, in a process of its own (`worker`)
that `supervising` ends when it hangs.

May import `core`, `params`, `tracking` and `registry`.
"""
