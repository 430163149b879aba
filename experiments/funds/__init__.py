"""Funds: what a plan will deliver, what became of one that ran, and where the next unit of money should go."""
