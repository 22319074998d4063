"""Connections, transactions, pipelined statements, deadlines and driver errors.

May import the domain and the ports, and no other package of the adapter.
"""
