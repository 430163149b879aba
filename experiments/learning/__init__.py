"""How well a bidder's predictions hold: against the truth of a scenario, and on recorded logs."""
