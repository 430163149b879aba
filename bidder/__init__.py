"""The buyer: what an impression is worth to each campaign and what to bid for it."""
