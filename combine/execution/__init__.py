"""What an execution does: the step executor, clarification, remediation, revision. Knows no queue."""
