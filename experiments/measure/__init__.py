"""Measuring what ads did, as people in the trade do it, beside the truth: accounting, attribution, experiments."""
