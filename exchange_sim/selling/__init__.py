"""How sellers sell: floors and reserves, deals and their tiers, networks that resell, pages with several slots."""
