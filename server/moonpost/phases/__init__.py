"""What happens to a session and its mail, in order: pure, bytes and time are arguments."""
