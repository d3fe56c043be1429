"""The tests, a package so that no other of this name comes before it; may import anything."""
