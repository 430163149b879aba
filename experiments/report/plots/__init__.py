"""The report's plots, one file per subject; each takes `Facts` and gives `Plot`s. Axes carry units."""
