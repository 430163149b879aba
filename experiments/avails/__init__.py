"""What a publisher can still sell: a forecast of its own requests from its own past, beside what was promised."""
