"""The tests of the whole house; every folder here is named after the room it tests."""
