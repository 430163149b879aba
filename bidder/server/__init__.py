"""The bidder as an HTTP service: OpenRTB requests and signed notices over one desk."""
