"""The pipeline's stages, one script each; `dvc.yaml` says in which order."""
