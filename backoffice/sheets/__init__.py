"""Spreadsheets in and out: read in a child process, checked, imported in chunks, exported."""
