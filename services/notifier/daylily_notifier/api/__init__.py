"""NotifierService, and the translation between protos and domain."""
