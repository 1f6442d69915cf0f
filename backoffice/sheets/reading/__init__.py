"""Reading an uploaded file from outside of the child process, and what its first rows tell."""
