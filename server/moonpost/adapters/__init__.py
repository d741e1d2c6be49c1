"""The ports of `msys.ports` for real: DNS, HTTP, files, SQL, pools, time and sessions."""
