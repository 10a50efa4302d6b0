"""A simulated AWS for the demo and the tests: S3, STS and IAM behind real HTTP on the loopback address."""
