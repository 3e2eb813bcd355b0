output "job_queue_url" {
  description = "Where jobs are sent; the setting job-queue-url"
  value       = aws_sqs_queue.jobs.url
}

output "dead_letter_queue_url" {
  description = "Where messages that can never be a job are found"
  value       = aws_sqs_queue.dead_letters.url
}

output "event_queue_url" {
  description = "Where news of tasks and instances arrives"
  value       = aws_sqs_queue.events.url
}

output "ledger_table_name" {
  description = "The table for a ledger that dispatchers share; behind \"dynamodb:\" in the setting ledger"
  value       = aws_dynamodb_table.ledger.name
}

output "cluster_name" {
  description = "The ECS cluster; the setting cluster"
  value       = aws_ecs_cluster.this.name
}

output "instance_profile_name" {
  description = "The instance profile of hosts; the setting instance-profile"
  value       = aws_iam_instance_profile.host.name
}

output "security_group_id" {
  description = "The security group of hosts; for the setting security-groups"
  value       = aws_security_group.hosts.id
}

output "log_group_name" {
  description = "The log group of jobs; the setting log-group"
  value       = aws_cloudwatch_log_group.jobs.name
}

output "dispatcher_policy_arn" {
  description = "What the dispatcher may do; attach it to the identity it runs as"
  value       = aws_iam_policy.dispatcher.arn
}

output "ledger_policy_arn" {
  description = "What the dispatcher may do with the ledger's table; attach it too if the setting ledger names that"
  value       = aws_iam_policy.ledger.arn
}

output "reports_policy_arn" {
  description = "What the dispatcher may read of shared tasks; attach it too if the setting runner-image is set"
  value       = aws_iam_policy.reports.arn
}

output "producer_policy_arn" {
  description = "What a producer may do; attach it to whoever sends jobs"
  value       = aws_iam_policy.producer.arn
}

output "dispatcher_role_arn" {
  description = "The dispatcher's role, or null"
  value       = one(aws_iam_role.dispatcher[*].arn)
}

output "execution_role_arn" {
  description = "The task execution role, or null; the setting execution-role"
  value       = one(aws_iam_role.execution[*].arn)
}
