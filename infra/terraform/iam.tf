# Every right is in ../policies, made from ../iam.toml: nothing is granted here that is not there.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  names = {
    partition          = data.aws_partition.current.partition
    dns_suffix         = data.aws_partition.current.dns_suffix
    region             = data.aws_region.current.region
    account            = data.aws_caller_identity.current.account_id
    deployment         = var.deployment
    job_role_arns      = "replaced by the list below"
    job_secret_arns    = "replaced by the list below"
    job_parameter_arns = "replaced by the list below"
    job_event_arns     = "replaced by the list below"
  }

  statements = {
    for name in ["dispatcher", "pass-execution-role", "pass-job-roles", "tell-job-events", "keep-ledger", "read-reports", "producer", "host", "execution", "read-secrets", "read-parameters"] :
    name => jsondecode(templatefile("${path.module}/../policies/${name}.json", local.names)).Statement
  }
}

# --- Hosts ---------------------------------------------------------------------------------------------------------------

# What the ECS agent calls, on one cluster. A job that breaks out of its container has this, so it is all there is.
resource "aws_iam_role" "host" {
  name               = "${var.deployment}-host"
  description        = "The ECS agent on Spillway's hosts"
  assume_role_policy = data.aws_iam_policy_document.host_trust.json
}

data "aws_iam_policy_document" "host_trust" {
  statement {
    effect  = "Allow"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "host" {
  name   = "agent"
  role   = aws_iam_role.host.name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements["host"] })
}

resource "aws_iam_instance_profile" "host" {
  name = "${var.deployment}-host"
  role = aws_iam_role.host.name
}

resource "aws_iam_role" "execution" {
  count = var.create_execution_role ? 1 : 0

  name               = "${var.deployment}-execution"
  description        = "Pulls images and writes logs for Spillway's jobs"
  assume_role_policy = data.aws_iam_policy_document.execution_trust.json
}

data "aws_iam_policy_document" "execution_trust" {
  statement {
    effect  = "Allow"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.names.partition}:ecs:${local.names.region}:${local.names.account}:*"]
    }
  }
}

resource "aws_iam_role_policy" "execution" {
  count = var.create_execution_role ? 1 : 0

  name = "execution"
  role = aws_iam_role.execution[0].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.statements["execution"],
      [for statement in local.statements["read-secrets"] : merge(statement, { Resource = var.job_secret_arns }) if length(var.job_secret_arns) > 0],
      [for statement in local.statements["read-parameters"] : merge(statement, { Resource = var.job_parameter_arns }) if length(var.job_parameter_arns) > 0],
    )
  })
}

# --- Dispatcher ----------------------------------------------------------------------------------------------------------

# Where an action takes a tag, the tag decides: it makes only machines that carry this deployment's tag, and ends only those.
resource "aws_iam_policy" "dispatcher" {
  name        = "${var.deployment}-dispatcher"
  description = "Spillway's dispatcher, deployment ${var.deployment}"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.statements["dispatcher"],
      [for statement in local.statements["pass-execution-role"] : statement if var.create_execution_role],
      [for statement in local.statements["pass-job-roles"] : merge(statement, { Resource = var.job_role_arns }) if length(var.job_role_arns) > 0],
      [for statement in local.statements["tell-job-events"] : merge(statement, { Resource = var.job_event_arns }) if length(var.job_event_arns) > 0],
    )
  })
}

resource "aws_iam_role" "dispatcher" {
  count = var.dispatcher_service == "none" ? 0 : 1

  name               = "${var.deployment}-dispatcher"
  description        = "Spillway's dispatcher"
  assume_role_policy = data.aws_iam_policy_document.dispatcher_trust.json
}

data "aws_iam_policy_document" "dispatcher_trust" {
  statement {
    effect  = "Allow"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [var.dispatcher_service]
    }
  }
}

resource "aws_iam_role_policy_attachment" "dispatcher" {
  count = var.dispatcher_service == "none" ? 0 : 1

  role       = aws_iam_role.dispatcher[0].name
  policy_arn = aws_iam_policy.dispatcher.arn
}

resource "aws_iam_instance_profile" "dispatcher" {
  count = var.dispatcher_service == "ec2.amazonaws.com" ? 1 : 0

  name = "${var.deployment}-dispatcher"
  role = aws_iam_role.dispatcher[0].name
}

# Apart, since IAM takes 6,144 characters of one policy, and only a dispatcher whose ledger is the table needs it.
resource "aws_iam_policy" "ledger" {
  name        = "${var.deployment}-ledger"
  description = "Keeps the ledger of Spillway's deployment ${var.deployment} in its table"
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.statements["keep-ledger"] })
}

resource "aws_iam_role_policy_attachment" "ledger" {
  count = var.dispatcher_service == "none" ? 0 : 1

  role       = aws_iam_role.dispatcher[0].name
  policy_arn = aws_iam_policy.ledger.arn
}

# Apart for the same reason.
resource "aws_iam_policy" "reports" {
  name        = "${var.deployment}-reports"
  description = "Reads what shared tasks of Spillway's deployment ${var.deployment} report in their logs"
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.statements["read-reports"] })
}

resource "aws_iam_role_policy_attachment" "reports" {
  count = var.dispatcher_service == "none" ? 0 : 1

  role       = aws_iam_role.dispatcher[0].name
  policy_arn = aws_iam_policy.reports.arn
}

# Who may send jobs. Attach it with care: it is the right to run code on the hosts.
resource "aws_iam_policy" "producer" {
  name        = "${var.deployment}-producer"
  description = "Sends jobs to Spillway's deployment ${var.deployment}"
  policy      = jsonencode({ Version = "2012-10-17", Statement = local.statements["producer"] })
}
