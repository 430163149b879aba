"""How fast it is, with the work done asserted beside every figure. `python -m benchmarks` prints the short table."""
