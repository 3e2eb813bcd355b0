"""EC2: LocalStack's, with fleets, tokens, Spot prices and instance events added."""
