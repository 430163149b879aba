"""What `bidlab exchange serve` is told, read from a file; and the page that shows ads from it."""
