resource "aws_cloudwatch_event_rule" "tasks" {
  name        = "${var.deployment}-tasks"
  description = "Tasks of the cluster that start and stop, with their exit codes"

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail      = { clusterArn = [aws_ecs_cluster.this.arn] }
  })
}

resource "aws_cloudwatch_event_target" "tasks" {
  rule      = aws_cloudwatch_event_rule.tasks.name
  target_id = "events"
  arn       = aws_sqs_queue.events.arn
}

resource "aws_cloudwatch_event_rule" "container_instances" {
  name        = "${var.deployment}-container-instances"
  description = "Hosts that register with the cluster, connect, drain and leave"

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Container Instance State Change"]
    detail      = { clusterArn = [aws_ecs_cluster.this.arn] }
  })
}

resource "aws_cloudwatch_event_target" "container_instances" {
  rule      = aws_cloudwatch_event_rule.container_instances.name
  target_id = "events"
  arn       = aws_sqs_queue.events.arn
}

# EC2's events carry no tags: those of the whole account and region come, and the dispatcher drops what is not its own.
resource "aws_cloudwatch_event_rule" "instances" {
  name        = "${var.deployment}-instances"
  description = "EC2 instances that change state, are reclaimed, or are at risk"

  event_pattern = jsonencode({
    source = ["aws.ec2"]
    detail-type = [
      "EC2 Instance State-change Notification",
      "EC2 Spot Instance Interruption Warning",
      "EC2 Instance Rebalance Recommendation",
    ]
  })
}

resource "aws_cloudwatch_event_target" "instances" {
  rule      = aws_cloudwatch_event_rule.instances.name
  target_id = "events"
  arn       = aws_sqs_queue.events.arn
}
