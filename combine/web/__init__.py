"""Web pages: signing in and out. The templates contain no logic and escape everything."""
