"""Cards of ideas of the field, found by what an agent works on. Imports files of `search`."""
