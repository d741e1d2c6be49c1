"""Adaptive delivery: what receiving hosts answer changes how mail is sent to them.

`engine` and `sweep` decide, purely: a refusal, the rules, what is known and the time in, changes out. `driver` keeps
the state, is asked for options, and is told of every attempt; `store` keeps the state over a restart.
"""
