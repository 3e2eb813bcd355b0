"""Commands of AWS's own CLI in the pages: the stock CLI takes each, with its flags and values; nobody is called.

Blocks are run by bash as they are written. `aws` is the stock CLI, which reads the command and checks it against AWS's
models, and is then kept from calling AWS: it answers with a word. Whatever else a block calls answers with nothing.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "infra" / "README.md"]

# Called by blocks beside `aws`, and not looked at here.
OTHERS = ("curl", "journalctl", "spillway")

# Checks one command and tells of it in the file `calls`, a line of JSON: what was called, and what was wrong.
STAND_IN = """\
import contextlib, io, json, sys
from awscli.clidriver import create_clidriver
from awscli.customizations.cloudformation.deploy import DeployCommand
from botocore.client import BaseClient
from botocore.exceptions import ParamValidationError
from botocore.validate import ParamValidator

def validate(client, operation, params):
    shape = client.meta.service_model.operation_model(operation).input_shape
    errors = ParamValidator().validate(params, shape)
    if errors.has_errors():
        raise ParamValidationError(report=errors.generate_report())
    return {{}}

BaseClient._make_api_call = validate
DeployCommand._run_main = lambda *_: 0  # it makes several calls: its flags are looked at
said = io.StringIO()
with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
    try:
        code = create_clidriver().main(sys.argv[1:])
    except SystemExit as end:
        code = end.code
with open({calls!r}, "a") as calls:
    wrong = said.getvalue() or str(code) if code else None
    calls.write(json.dumps({{"args": sys.argv[1:], "wrong": wrong}}) + "\\n")
print("answer")
"""

# Nobody's, so that the CLI has what it asks for and reads no file of this machine.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def scripts(page: str) -> list[str]:
    """What is typed in each block that calls AWS's CLI: lines behind a prompt, and those that go on with them."""
    found = []
    for block in re.findall(r"^```console[^\n]*\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        typed, goes_on = [], False
        for line in block.splitlines():
            if goes_on or line.startswith("$ "):
                typed.append(line.removeprefix("$ "))
                goes_on = line.endswith("\\")
        script = "\n".join(typed)
        if re.search(r"\baws ", script):
            found.append(script)
    return found


def run(script: str, folder: Path) -> list[dict]:
    """Runs a block in a folder that has `infra` in it; gives the calls of AWS's CLI."""
    tools, calls = folder / "tools", folder / "calls"
    tools.mkdir()
    calls.touch()
    (folder / "infra").symlink_to(ROOT / "infra")
    (folder / "stand_in.py").write_text(STAND_IN.format(calls=str(calls)))
    bodies = {"aws": f'exec {sys.executable} {folder}/stand_in.py "$@"'} | dict.fromkeys(OTHERS, "exit 0")
    for name, body in bodies.items():
        (tools / name).write_text(f"#!/bin/bash\n{body}\n")
        (tools / name).chmod(0o755)
    environment = ENVIRONMENT | {"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(folder)}
    bash = subprocess.run(
        ["/bin/bash", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert bash.stderr == "", bash.stderr
    return [json.loads(line) for line in calls.read_text().splitlines()]


BLOCKS = [
    pytest.param(script, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, script in enumerate(scripts(page.read_text()))
]


@pytest.mark.parametrize("script", BLOCKS)
def test_the_stock_cli_takes_every_command_of_a_block(script: str, tmp_path: Path) -> None:
    calls = run(script, tmp_path)

    written = set(re.findall(r"\baws ([a-z]\S+ [a-z]\S+)", script))
    assert [call for call in calls if call["wrong"]] == []
    assert {" ".join(call["args"][:2]) for call in calls} == written


@pytest.mark.parametrize(
    "script",
    [
        "aws sqs get-queue-url --queue-nome x",
        "aws sqs receive-message --queue-url x --max-number-of-messages ten",
        "aws sqs send-massage --queue-url x",
        "aws cloudformation deploy --template-file x --stack-name y --capabilties Z",
        "aws batch submit-job --job-name x --job-queue y --job-definition z --container-overrides '{\"comand\": []}'",
    ],
)
def test_a_command_that_is_wrong_is_found(script: str, tmp_path: Path) -> None:
    assert [call["wrong"] for call in run(script, tmp_path)] != [None]


def test_every_call_that_a_sentence_names_is_one() -> None:
    named = {call for page in PAGES for call in re.findall(r"`aws ([a-z0-9-]+ [a-z0-9-]+)", page.read_text())}
    session = botocore.session.get_session()

    assert named
    for call in named:
        service, operation = call.split()
        operations = session.get_service_model(service).operation_names
        assert operation in {xform_name(name, "-") for name in operations}, call
