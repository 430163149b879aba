"""Load on any OpenRTB bidder: traffic of a scenario over HTTP, in open loop, with latency from the intended moment."""
