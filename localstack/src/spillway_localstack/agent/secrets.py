"""Values of a container's ``secrets``, fetched as the ECS agent does: from Parameter Store or Secrets Manager."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from spillway_localstack.agent.runner import StartError

# arn:aws:secretsmanager:region:account:secret:name and then, optional, :json-key:version-stage:version-id
# (ECS developer guide, "Pass Secrets Manager secrets through Amazon ECS environment variables").
_SECRET_ARN_PARTS = 7
_OPTIONAL_PARTS = 3


class Secrets:
    """Fetches values; keeps and logs none."""

    def __init__(self, ssm: Any, secrets_manager: Any) -> None:  # noqa: ANN401
        """The two are boto3's clients."""
        self._ssm = ssm
        self._secrets_manager = secrets_manager

    def values(self, sources: dict[str, str]) -> dict[str, str]:
        """The values by variable; raises ``StartError`` with ECS's words if one cannot be had."""
        return {name: self._value(source) for name, source in sources.items()}

    def _value(self, source: str) -> str:
        try:
            if source.startswith("arn:") and source.split(":")[2] == "secretsmanager":
                return self._of_secrets_manager(source)
            return self._of_parameter_store(source)
        except (BotoCoreError, ClientError, KeyError, ValueError) as error:
            text = f"unable to pull secrets or registry auth: unable to retrieve {source}: {error}"
            raise StartError(f"ResourceInitializationError: {text}") from error

    def _of_parameter_store(self, source: str) -> str:
        # A parameter of the own region goes by its name or by its ARN.
        name = source.split(":parameter", 1)[1] if source.startswith("arn:") else source
        # `parameter/name` is the ARN of `name` and of `/name`.
        names = [name, name.removeprefix("/")] if source.startswith("arn:") else [name]
        answer = self._ssm.get_parameters(Names=names, WithDecryption=True)
        if not answer["Parameters"]:
            raise KeyError(f"invalid ssm parameters: {name}")
        return str(answer["Parameters"][0]["Value"])

    def _of_secrets_manager(self, source: str) -> str:
        parts = source.split(":")
        key, stage, version = (parts[_SECRET_ARN_PARTS:] + [""] * _OPTIONAL_PARTS)[:_OPTIONAL_PARTS]
        request: dict[str, str] = {"SecretId": ":".join(parts[:_SECRET_ARN_PARTS])}
        if stage:
            request["VersionStage"] = stage
        if version:
            request["VersionId"] = version
        value = str(self._secrets_manager.get_secret_value(**request)["SecretString"])
        return str(json.loads(value)[key]) if key else value
