"""How root runs PostgreSQL, which refuses to run as root: as the owner of its data."""

import os
import pwd
import shutil
import stat
from pathlib import Path


def hand_over(folder: Path) -> None:
    """Give root's `folder` to nobody. A folder that has another owner keeps it."""
    if os.geteuid() == 0 == folder.stat().st_uid:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)


def as_owner(data: Path, programs: Path) -> list[str]:
    """What goes before a command of `programs` to run it as the owner of `data`.

    Nothing, unless we are root. Where the owner could not get through to the two folders (a
    checkout below /root), the command is given the capability to pass; no folder is opened up.
    """
    if os.geteuid() != 0:
        return []
    if not (setpriv := shutil.which("setpriv")):
        raise LookupError("PostgreSQL refuses to run as root, and there is no setpriv here.")
    owner = data.stat()
    user = [f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups"]
    on_the_way = [*data.parents, programs, *programs.parents]
    if all(folder.stat().st_mode & stat.S_IXOTH for folder in on_the_way):
        capabilities = ["--inh-caps=-all"]
    else:
        capability = f"-all,+{_capability_to_pass()}"
        capabilities = [
            f"--inh-caps={capability}",
            f"--ambient-caps={capability}",
            "--securebits=+no_setuid_fixup",  # or access(2) would not count the capability
        ]
    return [setpriv, *user, *capabilities, "--no-new-privs", "--"]


def _capability_to_pass() -> str:
    """The smaller of the two that open every folder; root in a container may lack it."""
    status = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines())
    return "dac_read_search" if int(status["CapEff"], 16) & 1 << 2 else "dac_override"
