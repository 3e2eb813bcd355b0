"""The services that LocalStack finds through entry points. Imports happen when a service is first called."""

from __future__ import annotations

from localstack.services.plugins import Service, aws_provider


@aws_provider(api="ecs")
def ecs() -> Service:
    """ECS, with what is not ours left to moto."""
    from localstack.aws.skeleton import Skeleton
    from localstack.aws.spec import load_service

    from spillway_localstack.plugin.dispatch import with_moto
    from spillway_localstack.plugin.ecs.provider import EcsProvider

    model = load_service("ecs")
    return Service("ecs", skeleton=Skeleton(model, with_moto(EcsProvider(), model)))


@aws_provider(api="pricing")
def pricing() -> Service:
    """Prices from the table."""
    from localstack.services.plugins import Service

    from spillway_localstack.plugin.pricing.provider import PricingProvider

    return Service.for_provider(PricingProvider())


@aws_provider(api="ec2", name="spillway")
def ec2() -> Service:
    """LocalStack's EC2 with our overrides; chosen by ``PROVIDER_OVERRIDE_EC2=spillway``."""
    from localstack.services.moto import MotoFallbackDispatcher

    from spillway_localstack.plugin.ec2.service import EC2

    return Service.for_provider(EC2, dispatch_table_factory=MotoFallbackDispatcher)


@aws_provider(api="dynamodb", name="spillway")
def dynamodb() -> Service:
    """moto's tables, kept in memory; chosen by ``PROVIDER_OVERRIDE_DYNAMODB=spillway``.

    LocalStack's own are a Java program that it downloads when it is first asked for one.
    """
    from localstack.aws.skeleton import Skeleton
    from localstack.aws.spec import load_service

    from spillway_localstack.plugin.dispatch import with_moto

    model = load_service("dynamodb")
    return Service("dynamodb", skeleton=Skeleton(model, with_moto(object(), model)))
