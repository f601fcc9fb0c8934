"""Sockets to the world outside: whatever goes out by one of them ends by a deadline."""
