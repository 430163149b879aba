"""Variants of one market on the same demand and luck: what each rule of the sellers costs and brings."""
