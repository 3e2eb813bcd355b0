# The ledger of dispatchers on several machines (the setting ledger: dynamodb:<deployment>-ledger). It costs nothing while nobody uses it.
resource "aws_dynamodb_table" "ledger" {
  name         = "${var.deployment}-ledger"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"
  range_key    = "sk"

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }
}
