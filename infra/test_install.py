"""The commands that install the dispatcher or start its image, run with stand-ins for what changes the machine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

INFRA = Path(__file__).parent
ROOT = INFRA.parent
README = (INFRA / "README.md").read_text()
UNIT = (INFRA / "spillway.service").read_text()
DOCKERFILE = (INFRA / "Dockerfile").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), INFRA / "README.md"]

# There on any machine with systemd; what is not has to be made by the commands.
FOLDERS = ["usr/local/bin", "usr/lib/sysusers.d", "etc/systemd/system"]

# Each writes down what it was told. `install` does what it says, below a folder of its own instead of the root.
STAND_INS = {
    "cargo": 'mkdir -p target/release\nprintf "#!/bin/sh\\n" >target/release/spillway\n',
    "sudo": 'if [ "$1" = -u ]; then shift 2; fi\nexec "$@"\n',
    "install": 'words=("${@:1:$#-1}")\nexec /usr/bin/install "${words[@]}" "$MACHINE${*: -1}"\n',
    "systemd-sysusers": 'ls "$MACHINE"/usr/lib/sysusers.d/*.conf >/dev/null\n',
    "systemctl": 'for unit; do :; done\ntest -f "$MACHINE/etc/systemd/system/$unit.service"\n',
    "spillway": "",
    "docker": "",
}


def blocks(beginning: str) -> str:
    """The commands of the first console block behind a text of the README."""
    found = re.search(r"```console\n(.*?)```", README.split(beginning, 1)[1], re.DOTALL)
    assert found
    return re.sub(r"^\$ ", "", found[1], flags=re.MULTILINE)


class Machine:
    """A folder that stands in for a machine, and one with the source."""

    def __init__(self, path: Path) -> None:
        self.root, self.source, self.log = path / "machine", path / "source", path / "log"
        for folder in FOLDERS:
            (self.root / folder).mkdir(parents=True)
        self.source.mkdir()
        (self.source / "infra").symlink_to(INFRA)
        (self.source / "spillway.toml").write_text("queues = ['default']\n")
        self.programs = path / "bin"
        self.programs.mkdir()
        for name, body in STAND_INS.items():
            record = f"import json, sys; print(json.dumps(['{name}', *sys.argv[1:]]))"
            program = self.programs / name
            program.write_text(f'#!/bin/bash\nset -eu\n"{sys.executable}" -c "{record}" "$@" >>"$LOG"\n{body}')
            program.chmod(0o755)

    def run(self, commands: str) -> list[list[str]]:
        """Runs commands until the first that fails; what programs were told, in order."""
        ran = subprocess.run(
            ["bash", "-c", f"set -euo pipefail\n{commands}"],
            cwd=self.source,
            env={"PATH": f"{self.programs}:/usr/bin:/bin", "MACHINE": str(self.root), "LOG": str(self.log)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def of_unit(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


def test_what_is_installed_is_what_the_unit_starts_where_it_looks_for_it(machine: Machine) -> None:
    told = machine.run(blocks("**As a service**"))

    variables = dict(value.split("=", 1) for value in of_unit("Environment"))
    program = machine.root / of_unit("ExecStart")[0].split()[0].lstrip("/")
    assert program.stat().st_mode & 0o777 == 0o755
    config = machine.root / variables["SPILLWAY_CONFIG"].lstrip("/")
    assert config.read_text() == (machine.source / "spillway.toml").read_text()
    assert (machine.root / "etc/systemd/system/spillway.service").read_text() == UNIT
    made = machine.root / "usr/lib/sysusers.d/spillway.conf"
    assert made.read_text() == (INFRA / "spillway.sysusers").read_text()
    # The user is there before the service starts.
    assert told.index(["systemd-sysusers"]) < told.index(["systemctl", "enable", "--now", "spillway"])
    assert ["cargo", "build", "--release"] in told
    assert ["spillway", "--ledger", variables["SPILLWAY_LEDGER"], "jobs", "list"] in told
    as_user = [command[2] for command in told if command[:2] == ["sudo", "-u"]]
    assert as_user == of_unit("User")


def test_the_container_keeps_its_ledger_and_finds_its_configuration(machine: Machine) -> None:
    build, run = [command[1:] for command in machine.run(blocks("**As a container**"))]

    flags = dict(zip(build[1:-1:2], build[2:-1:2], strict=True))
    assert (build[0], build[-1], set(flags)) == ("build", ".", {"--file", "--tag"})
    assert (machine.source / flags["--file"]).read_text() == DOCKERFILE
    assert (run[0], run[-1]) == ("run", flags["--tag"])
    pairs = list(zip(run[1:-1:2], run[2:-1:2], strict=True))
    volumes = [value.split(":") for flag, value in pairs if flag == "--volume"]
    work = re.search(r"^WORKDIR (/var/.*)$", DOCKERFILE, re.MULTILINE)
    kept = re.search(r'^VOLUME \["(.*)"\]$', DOCKERFILE, re.MULTILINE)
    assert work
    assert kept
    assert [volume[1] for volume in volumes] == [kept[1], f"{work[1]}/spillway.toml"]
    assert Path(volumes[1][0]) == machine.source / "spillway.toml"
    assert {flag for flag, _ in pairs} == {"--volume", "--env"}


def test_the_pages_ask_systemd_about_units_that_there_are() -> None:
    asked = re.compile(r"^\$ (?:systemctl \w+|journalctl --unit) (\S+)", re.MULTILINE)
    units = [unit for page in PAGES for unit in asked.findall(page.read_text())]

    assert units
    assert all((INFRA / f"{unit}.service").is_file() for unit in units), units
