"""What the server tells its operators: log files in the formats their tools read."""
