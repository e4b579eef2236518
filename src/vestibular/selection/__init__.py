"""The choice between candidates: how sure scores are, which candidate wins, and why."""
