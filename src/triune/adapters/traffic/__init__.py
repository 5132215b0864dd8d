"""The traffic port: the process that carries an environment's requests."""
