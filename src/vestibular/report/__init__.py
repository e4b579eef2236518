"""Presentation of a selection: the report page, the charts and the model card.

May import `core`, `params`, `scoring` and `selection`.
"""
