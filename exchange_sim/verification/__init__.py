"""Verification: what may be shown where, what is stopped while it loads, and visitors who are not people."""
