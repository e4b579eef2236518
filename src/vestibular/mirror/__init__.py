"""The mirror: runs and model versions, shown to a service from the files that hold them.

`spools` and `outputs` read what there is into the `records`, `items` cuts a record into what can
be pushed and recognised, a target (`neptune_target`, `mlflow_target`) pushes it, in a process of
its own (`worker`) that `supervising` ends when it hangs.

May import `core`, `params`, `tracking` and `registry`.
"""
