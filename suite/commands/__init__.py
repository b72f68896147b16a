"""The commands, one file each, found by being here.

A module of this package is a command of that name (`_` for `-`). It has `HELP`, a line; `arguments(parser)`, which
declares what may be given; and `run(options, arguments) -> int`, which does it and returns the exit code. It imports
nothing heavy before `run`, so that a wrong line is answered at once.
"""
