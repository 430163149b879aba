"""From a scenario to the arrays, plans and cards a run needs."""
