"""What the machine must offer before anything is installed; as root on an apt system, what is missing is installed."""

import os
import platform
import shutil
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from dotdo_site.launch.checkout import ROOT, LaunchError, say

SYSTEMS = {"Linux", "Darwin"}
ARCHITECTURES = {"x86_64", "amd64", "aarch64", "arm64"}
INSTALL_BYTES = 1_200_000_000
RUN_BYTES = 200_000_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LAST_PORT = 65_535


def check_platform() -> None:
    """Refuse systems for which PostgreSQL's programs are not packaged. Raises LaunchError."""
    system, architecture = platform.system(), platform.machine().lower()
    if system not in SYSTEMS or architecture not in ARCHITECTURES:
        raise LaunchError(f"dotdo runs on Linux and macOS, x86-64 and arm64; this is {system} on {architecture}.")
    if system == "Linux" and platform.libc_ver()[0] != "glibc":
        raise LaunchError(
            "dotdo needs a Linux with glibc (Debian, Ubuntu, Fedora, ...): the C library here is another."
        )


def check_disk(needed: int) -> None:
    """Refuse a disk with less than `needed` bytes free. Raises LaunchError."""
    free = shutil.disk_usage(ROOT).free
    if free < needed:
        raise LaunchError(f"{ROOT} has {free // 1_000_000} MB free; dotdo needs {needed // 1_000_000} MB.")


def check_ensurepip() -> None:
    """Make sure that this Python can create a virtual environment with pip in it. Raises LaunchError."""
    if find_spec("ensurepip") is None or find_spec("venv") is None:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        install_system_packages([package], why="Python here cannot create virtual environments (ensurepip is missing)")


def check_port(port: int) -> None:
    """Refuse a port that another program listens on. Raises LaunchError, naming a free one."""
    if port_is_free(port):
        return
    other = next((p for p in range(port + 1, LAST_PORT) if port_is_free(p)), 0)
    raise LaunchError(f"Port {port} is in use by another program. Choose another one: make up PORT={other}")


def port_is_free(port: int) -> bool:
    """Tell whether a server can listen on this loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError as error:
            raise LaunchError(f"Only root may listen on port {port}. Choose another one: make up PORT=8000") from error
        except OSError:
            return False
    return True


def check_browser() -> None:
    """Make sure that the tests in a browser find one; where it cannot be installed, say how."""
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    if any(map(shutil.which, BROWSERS)) or any(cache.glob("chromium*")):
        return
    try:
        install_system_packages(["chromium"], why="The tests in a browser find none")
    except LaunchError as error:
        say(str(error))


def check_pooler() -> None:
    """Make sure that the tests of PgBouncer find one; where it cannot be installed, say how."""
    if shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        return
    try:
        install_system_packages(["pgbouncer"], why="The tests of PgBouncer find none")
    except LaunchError as error:
        say(str(error))


def install_system_packages(packages: list[str], *, why: str) -> None:
    """Install packages with apt as root. Raises LaunchError with the one line to run where that is not possible."""
    line = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    apt = shutil.which("apt-get")
    if apt is None:
        raise LaunchError(f"{why}. Install what your system calls: {' '.join(packages)}")
    if os.geteuid() != 0:
        raise LaunchError(f"{why}. Run this line, then try again:\n  sudo {line}")
    say(f"{why}: installing {' '.join(packages)} with apt ...")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([apt, "update", "-qq"], env=environment, check=False)
    if subprocess.run([*line.split(), "-qq"], env=environment, check=False).returncode != 0:
        raise LaunchError(f"{why}, and apt could not install it. Run this line to see why:\n  {line}")
