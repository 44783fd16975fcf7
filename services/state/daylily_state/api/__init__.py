"""gRPC: requests to commands of the domain, records to messages, refusals to statuses."""
