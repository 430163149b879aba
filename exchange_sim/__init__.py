"""The market and its truth: people, publishers, rivals, auctions, outcomes. Never imports bidder or dmp."""
