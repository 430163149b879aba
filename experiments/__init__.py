"""The composition root: scenarios, drivers, accounting, reports and the command line."""
