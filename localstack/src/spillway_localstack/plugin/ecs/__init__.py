"""ECS: clusters and task definitions are moto's, container instances and tasks are ours."""
