"""The notifier's configuration: a YAML file with channels and routes."""
