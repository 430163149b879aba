"""Side by side: every rule and every pacing in the same small markets, on the same seeds, `make strategies`."""
