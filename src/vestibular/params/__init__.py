"""All settings of a project joined: what `params.yaml` may say.

May import `core` and the settings of every package. The stages `prepare` and `select` and the
commands read it; `train` and `evaluate` read their own part alone, so that a change elsewhere
reruns neither.
"""
