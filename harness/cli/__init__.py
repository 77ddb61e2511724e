"""The command line: what users type, and the stages that the workflow runs."""
