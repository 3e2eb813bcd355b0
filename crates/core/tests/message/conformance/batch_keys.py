"""Writes batch_keys.txt: every key of AWS Batch's SubmitJob and RegisterJobDefinition, from the model in botocore.

A line is the operation, the key's path, its type and, for a closed list, its values. `[]` is an item of a list; a map is a
leaf. Run it where botocore is installed, after AWS has added something:

    python3 batch_keys.py > batch_keys.txt
"""

from __future__ import annotations

import botocore
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape


def lines(operation: str, shape: Shape, path: str, above: tuple[str, ...]) -> list[str]:
    """The leaves below a shape."""
    if shape.name in above:
        return []
    above = (*above, shape.name)
    if shape.type_name == "structure":
        members = shape.members.items()
        dot = "." if path else ""
        return [line for name, member in members for line in lines(operation, member, f"{path}{dot}{name}", above)]
    if shape.type_name == "list":
        return lines(operation, shape.member, f"{path}[]", above)
    values = "|".join(getattr(shape, "enum", []))
    return ["\t".join(part for part in (operation, path, shape.type_name, values) if part)]


def main() -> None:
    """Prints the list."""
    model = ServiceModel(Loader().load_service_model("batch", "service-2"))
    print(f"# From botocore {botocore.__version__}, made by batch_keys.py")
    for operation in ("SubmitJob", "RegisterJobDefinition"):
        shape = model.operation_model(operation).input_shape
        print("\n".join(lines(operation, shape, "", ())))


if __name__ == "__main__":
    main()
