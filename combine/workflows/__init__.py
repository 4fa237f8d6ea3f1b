"""Pure rules: definitions, graph, brief, prompts, schemas, mechanical QA. No database, network or framework."""
