"""Steps that bring the database to the form that the code expects."""
