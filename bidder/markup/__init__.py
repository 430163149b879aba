"""What is shown when a bid wins: HTML for banners, VAST for video and audio, JSON for native ads. All of it is ours.

Sizes in pixels, durations in s. Text and URLs are escaped for where they stand; nothing is loaded that the creative
does not name, so an ad without files of its own is complete in itself.
"""
