"""Everything of `booking dev`: supervisor, simulated payments, tokens, sample events, seat map.

May import every package but the command line.
"""
