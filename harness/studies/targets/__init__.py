"""Which targets a loss accepts, which it gets wrong without a word, and where stable forms lose their digits."""
