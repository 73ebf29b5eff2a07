"""Reader studies: answers of several readers on the same cases, their tables and their statistics."""
