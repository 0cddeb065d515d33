"""The `course` command: runs, checks and stamps the notebooks from outside. No notebook imports it."""
