"""Does it matter for training which loss is used?  Small networks trained with every loss, in every format."""
