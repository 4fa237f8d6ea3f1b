"""Who somebody is and what they may do: roles, scopes, tokens, sessions, sign-in at a provider."""
