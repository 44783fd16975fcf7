"""The gateway: REST and a web page, a gRPC client of the three services."""
