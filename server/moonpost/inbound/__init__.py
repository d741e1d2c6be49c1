"""Receiving mail: sockets and timers around the pure machine of `moonpost.phases`."""
