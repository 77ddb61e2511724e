"""Log-sum-exp and softmax cross-entropy of K classes: every form against its bound, and where forms fail."""
