"""Which eps in a loss: clamp and added eps from 2^-1 to below the subnormals, in every format."""
