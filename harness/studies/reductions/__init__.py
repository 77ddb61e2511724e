"""How a batch's losses are added up: the error of sums and means against their number."""
