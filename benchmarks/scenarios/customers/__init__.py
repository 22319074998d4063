"""Scenarios of customers: what they read, a sale to the end, and runs like those of other projects."""
