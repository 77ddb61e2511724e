"""Search for the worst input where not every input can be visited: worst.py has the method, stage.py the table."""
