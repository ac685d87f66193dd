"""The file that most tests edit, and what the model writes for it."""

OPEN = "import math\n\n\ndef area(radius):\n    return\n"
"""Its last line half-written."""
TEXT = OPEN.replace("return", "return math.pi * radius**2")
GIRTH = "\n\ndef girth(radius):\n    return 2 * math.pi * radius\n"
SHOW = "\n\nprint(area(1), girth(1))\n"
STREAM = """@@ -5,0 +6,4 @@
+
+
+def girth(radius):
+    return 2 * math.pi * radius
<|diff|>@@ -9,0 +10,3 @@
+
+
+print(area(1), girth(1))
<|diff|>
<|diff|>
"""
"""Adds `GIRTH` and then `SHOW`."""
QUIET = {"options": {"nextEdit": False}, "setup": "{ next_edit = false }"}
"""No next edits."""
SUM = "def total(values):\r\n    result = 0\r\n"
SUMMED = SUM + "    for value in values:\r\n        result += value\r\n    return result\r\n"
SUM_STREAM = "2,3 @@\n+    for value in values:\n+        result += value\n+    return result\n<|diff|>"
"""Leads from `SUM` to `SUMMED`, when a line is opened below."""
