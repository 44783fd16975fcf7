"""Everything in DynamoDB tables: the store of a deployment, shared by any number of replicas."""

from daylily_state.store.dynamodb.client import DynamoDBSettings
from daylily_state.store.dynamodb.store import DynamoDBStore

__all__ = ["DynamoDBSettings", "DynamoDBStore"]
