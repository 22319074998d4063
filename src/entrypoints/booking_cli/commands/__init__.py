"""The commands, one module a group. May import everything; imported when a command is first asked for."""
