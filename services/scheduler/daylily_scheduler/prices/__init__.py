"""What clusters that could be created cost: the operator's table, and spot prices of EC2."""
