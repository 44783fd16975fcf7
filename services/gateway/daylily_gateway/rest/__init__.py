"""The REST calls, by subject. Each handler translates, calls a service, and translates back."""
