"""Several processes as one server: one owns queues, timers and console, the others accept mail."""
