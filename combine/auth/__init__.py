"""Authentication and authorization: roles, scopes, tokens, sessions, sign-in with OpenID Connect."""
