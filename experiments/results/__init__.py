"""What a run leaves behind: tidy tables with a data dictionary, a manifest, a run directory."""
