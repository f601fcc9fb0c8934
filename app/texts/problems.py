"""What a service refuses, by code: one sentence or two that say what is wrong and what to do."""

PROBLEMS = {
    # Forms of all pages
    # Users, passwords, limits of attempts
    # Clips
    # Uploads
    # Publications
    # Due times
    # Connections
}
