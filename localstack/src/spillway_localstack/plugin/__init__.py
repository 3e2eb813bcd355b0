"""What runs inside LocalStack: ECS, prices, fleets, faults. It never starts a container or a process."""
