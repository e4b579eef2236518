"""All settings of a project: the content of `params.yaml`.

May import `core` and the settings of every package. The stages `prepare` and `select` and the
commands read it; `train` and `evaluate` read only their own part, so that a change elsewhere reruns
neither.
"""
