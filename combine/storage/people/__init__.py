"""Users, their sign-ins and tokens, their memberships, and the audit log."""
