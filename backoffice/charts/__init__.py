"""Charts: questions to the database, drawn on the server and never apart from their list."""
