"""Workflow definitions: catalog, validation, graph, provider schemas. No database, network or framework."""
