"""What the child process does to a stranger's file: plain Python, no Django, nothing of ours else.

`backoffice.sheets.child` runs it under limits of memory and time; the other side, which is part of
the site, only ever sees JSON.
"""
