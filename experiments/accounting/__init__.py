"""From a finished ledger to a run's tidy tables."""
