"""The `course` command: runs, checks and stamps the notebooks from outside. No notebook imports it."""

import sys

# jsonschema, which every notebook library loads, would build a grammar of web addresses at its import: over a second
# of each start, for a format that no notebook schema has. It does without where the grammar's package is missing.
sys.modules.setdefault("rfc3987_syntax", None)
