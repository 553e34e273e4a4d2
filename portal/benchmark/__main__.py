"""One measurement, in a process of its own: its memory is nobody else's, its database is empty.

Without arguments it prepares what the others need: the tables and the collected files.
"""

import json
import sys
from dataclasses import asdict

import django
from django.core.management import call_command


def main() -> None:
    django.setup()
    if len(sys.argv) == 1:
        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        return
    from portal.benchmark.workloads import WORKLOADS  # needs the apps

    name, size = sys.argv[1:]
    call_command("flush", interactive=False, verbosity=0)
    json.dump([asdict(figure) for figure in WORKLOADS[name].measure(int(size))], sys.stdout)


if __name__ == "__main__":
    main()
