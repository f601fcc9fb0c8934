"""How long a request may take, part by part. Leases are made to outlast it."""

# An upload of which no byte moves for this long is given up; a slow one goes on.
STALL_SECONDS = 30
RESPONSE_SECONDS = 30
# Of a platform that responds to an upload only once it has checked the file.
LONG_RESPONSE_SECONDS = 180
# Bytes that the kernel still holds when a connection is dropped are not delivered later than this.
UNACKNOWLEDGED_MS = 20_000
