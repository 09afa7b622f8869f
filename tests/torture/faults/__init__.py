"""Faults inside a running server: calls of the system and of the allocator that fail."""
