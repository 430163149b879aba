"""OpenRTB as this project speaks it: typed messages, codes, money. Imports no other package of bidlab."""
