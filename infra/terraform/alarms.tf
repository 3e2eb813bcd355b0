# Each alarm has its section in docs/runbook.md.

locals {
  alarm_actions = var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]
}

# SQS stops measuring a queue that nobody touched for six hours, with dead letters on it or not: then the alarm stays as it is.
resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  count = var.create_alarms ? 1 : 0

  alarm_name          = "${var.deployment}-dead-letters"
  alarm_description   = "Messages that can never be a job are on the dead-letter queue. docs/runbook.md#dead-letters"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "ignore"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

# An empty queue has no oldest message, so no value is a good one. What SQS no longer measures, no_dispatcher sees.
resource "aws_cloudwatch_metric_alarm" "old_job_message" {
  count = var.create_alarms ? 1 : 0

  alarm_name          = "${var.deployment}-old-job-message"
  alarm_description   = "A job message waits far longer than a dispatcher that runs lets it. docs/runbook.md#old-job-message"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.jobs.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.message_age_seconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "old_event" {
  count = var.create_alarms ? 1 : 0

  alarm_name          = "${var.deployment}-old-event"
  alarm_description   = "News of tasks and instances waits far longer than a dispatcher that runs lets it. docs/runbook.md#old-event"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.events.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.message_age_seconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

# A dispatcher asks the job queue without pause, so that even an idle one shows: as empty receives. No value means that nobody asks.
resource "aws_cloudwatch_metric_alarm" "no_dispatcher" {
  count = var.create_alarms ? 1 : 0

  alarm_name          = "${var.deployment}-no-dispatcher"
  alarm_description   = "Nobody has asked the job queue for messages for 15 minutes. docs/runbook.md#no-dispatcher"
  evaluation_periods  = 15
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions

  metric_query {
    id          = "asked"
    label       = "Receives of the job queue"
    expression  = "FILL(found, 0) + FILL(empty, 0)"
    return_data = true
  }

  metric_query {
    id          = "found"
    return_data = false

    metric {
      namespace   = "AWS/SQS"
      metric_name = "NumberOfMessagesReceived"
      dimensions  = { QueueName = aws_sqs_queue.jobs.name }
      period      = 60
      stat        = "Sum"
    }
  }

  metric_query {
    id          = "empty"
    return_data = false

    metric {
      namespace   = "AWS/SQS"
      metric_name = "NumberOfEmptyReceives"
      dimensions  = { QueueName = aws_sqs_queue.jobs.name }
      period      = 60
      stat        = "Sum"
    }
  }
}

# One for each rule: a rule that never failed has no such metric, and a sum with it would have no value.
resource "aws_cloudwatch_metric_alarm" "tasks_undelivered" {
  count = var.create_alarms ? 1 : 0

  alarm_name          = "${var.deployment}-tasks-undelivered"
  alarm_description   = "EventBridge could not put events on the event queue. docs/runbook.md#events-undelivered"
  namespace           = "AWS/Events"
  metric_name         = "FailedInvocations"
  dimensions          = { RuleName = aws_cloudwatch_event_rule.tasks.name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "container_instances_undelivered" {
  count = var.create_alarms ? 1 : 0

  alarm_name          = "${var.deployment}-container-instances-undelivered"
  alarm_description   = "EventBridge could not put events on the event queue. docs/runbook.md#events-undelivered"
  namespace           = "AWS/Events"
  metric_name         = "FailedInvocations"
  dimensions          = { RuleName = aws_cloudwatch_event_rule.container_instances.name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}

resource "aws_cloudwatch_metric_alarm" "instances_undelivered" {
  count = var.create_alarms ? 1 : 0

  alarm_name          = "${var.deployment}-instances-undelivered"
  alarm_description   = "EventBridge could not put events on the event queue. docs/runbook.md#events-undelivered"
  namespace           = "AWS/Events"
  metric_name         = "FailedInvocations"
  dimensions          = { RuleName = aws_cloudwatch_event_rule.instances.name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.alarm_actions
  ok_actions          = local.alarm_actions
}
