"""The mirror: pushes runs and model versions from their files to a tracking service.

`spools` and `outputs` read the local files into `records`, and `pushing` sends a target
(`neptune_target`, `mlflow_target`) what it lacks, in a separate process (`worker`) that
`supervising` ends if it hangs.

May import `core`, `params`, `tracking` and `registry`.
"""
