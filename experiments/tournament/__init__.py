"""A tournament: every seat of a scenario bids for itself, against the others and the market's own rivals."""
