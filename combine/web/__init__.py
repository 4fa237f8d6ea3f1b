"""Pages for people: signing in and out. No logic stands in the templates; they escape whatever they are given."""
