"""Recorded bid logs replayed under a bidding rule, a parameter grid and a budget.

Reading order: `log` (the rows as arrays; `text` and `parquet` read them, `checks` says what a row may hold),
`landscape` (training totals and the ORTB1 constant), `rules` (bids), `auctions` (wins and spend), `grid` (all runs),
`output` (rows for people and machines).

Money is int64 in the log's own price unit throughout; nothing here converts currencies.
"""
