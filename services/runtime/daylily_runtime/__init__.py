"""One way to run a grpc.aio server; knows no word of the domain."""
