"""The audience platform: who the person is, as far as consent allows. Never imports bidder or exchange_sim."""
