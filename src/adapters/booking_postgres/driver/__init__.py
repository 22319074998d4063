"""Connections, pipelined statements, deadlines and the translation of driver errors.

Imports no other package of this adapter.
"""
