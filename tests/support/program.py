"""What `python -c` does, as a module: so a server of warm commands can be asked for it.

python -m tests.support.program <program> [arguments]
"""

import sys

program = sys.argv[1]
sys.argv = ["-c", *sys.argv[2:]]
exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
