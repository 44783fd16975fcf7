"""The scheduler service: follows the event feed, keeps the queue in memory, and picks."""
