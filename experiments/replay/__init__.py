"""Recorded bid logs replayed under a bidding rule, a parameter grid and a budget.

Reading order: `log` (the rows as arrays; `text` and `parquet` read them, `checks` says what a row may hold),
`landscape` (training totals and the ORTB constants), `rules` (bids), `auctions` (wins and spend), `grid` (all runs),
`programme` (bids planned over the budget and the auctions left), `output` (rows for people and machines).

Money is int64 in the log's own price unit throughout; nothing here converts currencies.
"""
