variable "deployment" {
  description = "Name of this installation. It begins all names, and is the value of the tag spillway:deployment on every machine."
  type        = string
  default     = "spillway"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.deployment))
    error_message = "A lower-case letter, then up to 30 letters, digits or hyphens."
  }
}

variable "vpc_id" {
  description = "The VPC that hosts are launched in. Null takes the account's default VPC."
  type        = string
  default     = null
}

variable "job_retention_seconds" {
  description = "How long a job's message waits for a dispatcher before SQS drops it, in seconds: how long none may run."
  type        = number
  default     = 604800

  validation {
    condition     = var.job_retention_seconds >= 60 && var.job_retention_seconds <= 1209600
    error_message = "From 60 s to 14 days (1209600 s)."
  }
}

variable "job_max_receives" {
  description = "After so many deliveries without a verdict SQS itself moves a message to the dead-letter queue."
  type        = number
  default     = 10

  validation {
    condition     = var.job_max_receives >= 1 && var.job_max_receives <= 1000
    error_message = "From 1 to 1000."
  }
}

variable "producer_arns" {
  description = "ARNs of principals of other accounts that may send jobs. Who may send jobs may run code on your machines."
  type        = list(string)
  default     = []
}

variable "dispatcher_service" {
  description = "Makes a role for a dispatcher that runs on an EC2 instance (ec2.amazonaws.com, with an instance profile) or as an ECS task (ecs-tasks.amazonaws.com); none makes no role."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "ec2.amazonaws.com", "ecs-tasks.amazonaws.com"], var.dispatcher_service)
    error_message = "One of none, ec2.amazonaws.com, ecs-tasks.amazonaws.com."
  }
}

variable "create_execution_role" {
  description = "Makes a task execution role (pulls images, writes logs) for the setting execution-role. Without it the host's own role does both."
  type        = bool
  default     = false
}

variable "job_role_arns" {
  description = "ARNs of the roles that jobs may name. The dispatcher can hand out no other, whatever a message says; name the same in the setting jobs.allowed-roles."
  type        = list(string)
  default     = []
}

variable "job_secret_arns" {
  description = "ARNs of the Secrets Manager secrets that the execution role may read for jobs; a * at the end is any rest. Name the same in the setting jobs.allowed-secrets. Without create_execution_role it has no effect."
  type        = list(string)
  default     = []
}

variable "job_parameter_arns" {
  description = "ARNs of the Parameter Store's parameters that the execution role may read for jobs; a * at the end is any rest. Name the same in the setting jobs.allowed-secrets. Without create_execution_role it has no effect."
  type        = list(string)
  default     = []
}

variable "job_event_arns" {
  description = "ARNs of the SQS queue, SNS topic or EventBridge bus that the dispatcher may tell what becomes of jobs (the settings job-events.queue, .topic and .bus)."
  type        = list(string)
  default     = []
}

variable "log_retention_days" {
  description = "How long the output of jobs is kept, in days."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "One of the spans that CloudWatch Logs knows."
  }
}

variable "create_alarms" {
  description = "Makes seven CloudWatch alarms, about $0.80 a month for all. docs/runbook.md says of each what it means and what to do."
  type        = bool
  default     = true
}

variable "alarm_topic_arn" {
  description = "The SNS topic that is told when an alarm begins and ends. Null tells nobody."
  type        = string
  default     = null
}

variable "message_age_seconds" {
  description = "A message that has waited this long on the job queue or the event queue raises an alarm, in seconds."
  type        = number
  default     = 300

  validation {
    condition     = var.message_age_seconds >= 60 && var.message_age_seconds <= 1209600
    error_message = "From 60 s to 14 days (1209600 s)."
  }
}
