"""What the engine experiment measures: one module per question, ``bare`` for the baselines."""
