"""The one EC2 provider of this process: LocalStack serves it, ``reset`` clears it."""

from spillway_localstack.plugin.ec2.provider import SpillwayEc2Provider

EC2 = SpillwayEc2Provider()
