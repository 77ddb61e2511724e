"""Search for the worst input where not every input can be visited: along.py and joint.py have the method, stage.py the table."""
