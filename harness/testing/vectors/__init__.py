"""Golden vectors: inputs chosen because some wrong form fails there, with certified answers, for test suites in any language."""
