"""Five worksets from S3 to their end, with a real monitor, for people to watch."""
