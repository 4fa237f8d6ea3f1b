"""What an execution does: the step executor, clarification, remediation, revision. It does not know the queue."""
