"""Scenarios of reservations: their rate and cost, groups, refusals, many customers on one seat, a full database."""
