"""The exchange as a service: pages ask it for ads, it asks bidders, clears, and tells everybody once."""
