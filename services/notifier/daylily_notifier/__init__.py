"""The notifier service: follows the event feed and delivers."""
