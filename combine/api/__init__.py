"""JSON over HTTP: parses, calls one service, returns its view. The shell around the routes stands here, too."""
