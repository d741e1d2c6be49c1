"""For tests: fakes of the ports, the suite every port passes, a way to run policy functions."""
