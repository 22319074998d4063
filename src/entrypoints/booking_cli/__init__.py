"""The command line: parses arguments, calls a use case, prints the result. May import every other package.

Modules import Click and attrs only; a command imports what it runs, so that help and completion stay fast.
"""
