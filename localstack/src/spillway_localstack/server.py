"""Starts LocalStack with the plugin in this process, on loopback unless a container says otherwise."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

HOST = "127.0.0.1"


def environment(host: str, port: int, volume: Path) -> dict[str, str]:
    """The settings of LocalStack that make it private, quiet and offline.

    ``hypercorn``, because LocalStack's default server listens on every address whatever it is told. ``path``, because
    queue URLs otherwise name a host that does not resolve.
    """
    return {
        "DISABLE_EVENTS": "1",
        "DNS_ADDRESS": "0",
        # Else every LocalStack of one environment shares a folder, and empties it when it starts.
        "FILESYSTEM_ROOT": str(volume / "root"),
        "GATEWAY_LISTEN": f"{host}:{port}",
        "GATEWAY_SERVER": "hypercorn",
        "LOCALSTACK_HOST": f"{HOST}:{port}",
        "LOCALSTACK_VOLUME_DIR": str(volume),
        "PROVIDER_OVERRIDE_DYNAMODB": "spillway",
        "PROVIDER_OVERRIDE_EC2": "spillway",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "SQS_ENDPOINT_STRATEGY": "path",
        # LocalStack caches entry points here; without them it would not find the plugin.
        "XDG_CACHE_HOME": str(volume / "cache"),
    }


def serve(host: str, port: int, volume: Path) -> int:
    """Serves until SIGTERM; returns LocalStack's exit code."""
    volume = volume.resolve()
    volume.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(volume / "cache" / "plux", ignore_errors=True)
    os.environ.update(environment(host, port, volume))
    os.environ.setdefault("LS_LOG", "warning")
    # A machine that is itself a container is no LocalStack container: its folders are not ours to use.
    os.environ.setdefault("OVERRIDE_IN_DOCKER", "0")
    # Only now: LocalStack reads its settings when it is imported.
    from localstack.runtime.main import main

    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    sys.stdout.flush()
    return 0
