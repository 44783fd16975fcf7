"""Keeping the book: state's rows and events become what the policy looks at."""
