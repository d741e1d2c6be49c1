"""Handing mail to the next host: what to say, the connection it is said over, and the notice when it fails."""
