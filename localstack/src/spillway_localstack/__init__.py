"""LocalStack's open core as a cloud that runs ECS tasks, for development and tests.

``plugin`` runs inside LocalStack and adds what it lacks. ``agent`` runs beside it and stands in for the ECS agent on
every host. ``cli`` starts both. Nothing here is meant for a network: servers bind to 127.0.0.1 only.
"""
