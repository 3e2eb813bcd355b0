resource "aws_ecs_cluster" "this" {
  name = var.deployment
  tags = { "spillway:deployment" = var.deployment }
}

resource "aws_cloudwatch_log_group" "jobs" {
  name              = "/spillway/${var.deployment}"
  retention_in_days = var.log_retention_days
}

# Nothing reaches a host from outside; it reaches ECS, ECR and the registries. Terraform takes away the rule that AWS makes
# for a new group, so what goes out is written here.
resource "aws_security_group" "hosts" {
  description = "Hosts of Spillway deployment ${var.deployment}: nothing in, everything out"
  vpc_id      = var.vpc_id
  tags        = { "spillway:deployment" = var.deployment }

  egress {
    from_port        = 0
    to_port          = 0
    protocol         = "-1"
    cidr_blocks      = ["0.0.0.0/0"]
    ipv6_cidr_blocks = ["::/0"]
  }
}
