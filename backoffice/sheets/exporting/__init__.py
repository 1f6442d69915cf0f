"""Files of rows: written as rows come, by the database itself or by a job."""
