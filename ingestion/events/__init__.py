"""What others want to know: facts in an outbox, told by signed webhooks."""
