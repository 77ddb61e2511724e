"""What it costs to reach the loss by way of a rounded probability: the pipeline's errors, apart."""
