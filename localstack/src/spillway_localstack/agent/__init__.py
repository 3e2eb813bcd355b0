"""What stands in for the ECS agent on every host. It knows LocalStack only through HTTP."""
