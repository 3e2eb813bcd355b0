"""The dispatcher as a service and as an image: hardened, without rights, of the versions that the workspace has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

INFRA = Path(__file__).parent
ROOT = INFRA.parent
WORKSPACE = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]
CLI = (ROOT / "docs" / "cli.md").read_text()
SETTINGS = json.loads((ROOT / "docs" / "config.schema.json").read_text())["properties"]

UNIT_FILE = INFRA / "spillway.service"
UNIT = UNIT_FILE.read_text()
DOCKERFILE = (INFRA / "Dockerfile").read_text()

# Variables that are flags and no settings.
FLAGS = {"SPILLWAY_CONFIG", "SPILLWAY_FORMAT", "SPILLWAY_LOG_FORMAT"}

# systemd's exposure of a service, of 100: what needs the network cannot come to 0. Below 20 it calls it "OK".
EXPOSURE_MAX = 15

systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


def directive(name: str) -> list[str]:
    """The values of a directive of the unit, in order."""
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


def settings_of(variables: list[str]) -> set[str]:
    """The settings that variables set."""
    return {name.removeprefix("SPILLWAY_").lower().replace("_", "-") for name in variables if name not in FLAGS}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments."""
    lines = [line for line in DOCKERFILE.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def last_stage() -> list[tuple[str, str]]:
    all_of_them = instructions()
    begin = max(place for place, (name, _) in enumerate(all_of_them) if name == "FROM")
    return all_of_them[begin:]


def assert_runs(command: list[str]) -> None:
    """The command is one that the program has, with flags that it has."""
    verb, *flags = command
    section = CLI.split(f"## spillway {verb}\n")[1].split("\n## ")[0]
    for flag in flags:
        assert not flag.startswith("-") or f" {flag} " in section, flag


def test_the_unit_starts_what_there_is_with_settings_that_there_are() -> None:
    program, *command = directive("ExecStart")[0].split()
    variables = [value.split("=", 1)[0] for value in directive("Environment")]

    assert program == "/usr/local/bin/spillway"
    assert_runs(command)
    assert variables
    assert settings_of(variables) <= SETTINGS.keys()


def test_the_unit_runs_as_a_user_that_is_made_for_it_and_writes_to_its_state_only() -> None:
    user, name = (INFRA / "spillway.sysusers").read_text().splitlines()[-1].split()[:2]

    assert (user, directive("User"), directive("Group")) == ("u", [name], [name])
    assert directive("ProtectSystem") == ["strict"]
    assert directive("ReadWritePaths") == []
    assert f"SPILLWAY_LEDGER=/var/lib/{directive('StateDirectory')[0]}/ledger.db" in directive("Environment")


def test_the_unit_is_started_again_unless_that_changes_nothing() -> None:
    codes = dict(re.findall(r"^\| (\d+) \| (.*) \|$", CLI, re.MULTILINE))

    assert directive("Restart") == ["on-failure"]
    assert directive("StartLimitIntervalSec") == ["0"]
    assert [codes[code] for code in directive("RestartPreventExitStatus")[0].split()] == [
        "the command line or its input is wrong",
        "the configuration is wrong",
    ]


@systemd
def test_systemd_reads_the_unit_and_finds_it_closed(tmp_path: Path) -> None:
    copy = tmp_path / UNIT_FILE.name
    # The program is not installed here; any other that is stands in for it.
    copy.write_text(UNIT.replace("/usr/local/bin/spillway", sys.executable))

    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60, check=False
    )
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", str(copy)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    assert judged.returncode == 0, judged.stdout[-300:]


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    found = subprocess.run(
        [str(hadolint), str(INFRA / "Dockerfile")], capture_output=True, text=True, timeout=60, check=False
    )

    assert (found.returncode, found.stdout) == (0, "")


def test_the_image_runs_as_a_number_that_is_not_root_without_a_shell() -> None:
    stage = last_stage()
    base = stage[0][1]
    users = [value for name, value in stage if name == "USER"]

    assert base.startswith("gcr.io/distroless/")
    assert base.endswith(":nonroot")
    assert len(users) == 1
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[0])
    assert "RUN" not in [name for name, _ in stage]


def test_the_image_starts_what_there_is_with_settings_that_there_are() -> None:
    stage = dict(last_stage())
    variables = [value.split("=", 1)[0] for name, value in last_stage() if name == "ENV"]

    assert json.loads(stage["ENTRYPOINT"]) == ["/usr/local/bin/spillway"]
    assert_runs(json.loads(stage["CMD"]))
    assert settings_of(variables) <= SETTINGS.keys()
    assert json.loads(stage["VOLUME"]) == ["/var/lib/spillway"]


def test_the_image_is_built_with_the_workspaces_rust_on_the_debian_that_it_runs_on() -> None:
    (base, *_), *_ = [value.split() for name, value in instructions() if name == "FROM"]

    assert base == f"rust:{WORKSPACE['package']['rust-version']}-bookworm"
    assert "cc-debian12:" in last_stage()[0][1]  # bookworm is Debian 12


def test_the_build_gets_every_member_of_the_workspace_and_nothing_that_was_built() -> None:
    lines = (INFRA / "Dockerfile.dockerignore").read_text().splitlines()
    sent = {line[1:] for line in lines if line.startswith("!")}

    assert "*" in lines
    assert "**/target" in lines
    assert {member.split("/")[0] for member in WORKSPACE["members"]} | {"Cargo.toml", "Cargo.lock"} <= sent
    assert all((ROOT / name).exists() for name in sent)
