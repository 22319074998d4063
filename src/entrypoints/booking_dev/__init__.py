"""Everything of `booking dev`: simulated payments, tokens, sample events, the seat map.

May import every package but the command line.
"""
