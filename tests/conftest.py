"""What holds for every test: in continuous integration nothing may be skipped that the list does not name."""

pytest_plugins = ["testkit.skips", "testkit.from_lua"]
