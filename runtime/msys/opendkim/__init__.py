"""`opendkim`: holds the constants of libopendkim under the name scripts require."""

from msys.opendkim import dkim as dkim

__all__ = ["dkim"]
