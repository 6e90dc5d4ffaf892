"""Other projects' own tests, run over manycore."""
