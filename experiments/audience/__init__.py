"""Between the market's people and the audience platform: what they leave in files, and what a bidder gets of it."""
