"""The HTTP API: routes parse a request, call one service and return its view; middleware limits all requests."""
