"""What a campaign's money buys: incremental value against spend, with the truth of a paired counterfactual.

Every point of a curve is a run beside its twin with the campaign switched off: same people, same rivals, same luck.
"""
