"""The template beside its policies: queues, events, hosts, parameters. Reads files only."""

from __future__ import annotations

from cloudformation import TEMPLATE, WITH_ALL, Stack

STACK = Stack(WITH_ALL)


def test_every_queue_refuses_plain_http() -> None:
    queues = {properties["QueueName"] for properties in STACK.resources("AWS::SQS::Queue").values()}
    refusing = set()
    for properties in STACK.resources("AWS::SQS::QueuePolicy").values():
        deny = properties["PolicyDocument"]["Statement"][0]
        assert deny["Effect"] == "Deny"
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        refusing |= set(properties["Queues"])

    assert refusing == queues


def test_every_queue_is_encrypted() -> None:
    queues = STACK.resources("AWS::SQS::Queue")

    assert [name for name, properties in queues.items() if not properties["SqsManagedSseEnabled"]] == []


def test_only_our_own_rules_may_write_events() -> None:
    statements = STACK.resources()["EventQueuePolicy"]["PolicyDocument"]["Statement"]
    allowed = [statement for statement in statements if statement["Effect"] == "Allow"]
    rules = [rule["Name"] for rule in STACK.resources("AWS::Events::Rule").values()]

    assert len(allowed) == 1
    assert allowed[0]["Principal"] == {"Service": "events.amazonaws.com"}
    sources = allowed[0]["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert sorted(source.rsplit("/", 1)[1] for source in sources) == sorted(rules)


def test_only_producers_that_were_named_may_send_from_other_accounts() -> None:
    def allowed(stack: Stack) -> list[dict]:
        statements = stack.resources()["JobQueuePolicy"]["PolicyDocument"]["Statement"]
        return [statement for statement in statements if statement["Effect"] == "Allow"]

    assert allowed(Stack()) == []
    assert [statement["Principal"] for statement in allowed(STACK)] == [{"AWS": [WITH_ALL["ProducerArns"]]}]


def test_nothing_reaches_a_host_from_outside() -> None:
    assert "SecurityGroupIngress" not in STACK.resources()["HostSecurityGroup"]
    assert STACK.resources("AWS::EC2::SecurityGroupIngress") == {}


def test_every_parameter_has_a_description_and_a_default() -> None:
    for name, parameter in TEMPLATE["Parameters"].items():
        assert parameter.get("Description"), name
        assert "Default" in parameter, name


def test_every_parameter_is_in_a_group_of_the_console() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]

    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])
