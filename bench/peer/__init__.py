"""The peer: the least Django and django-ninja that store a row, on the same server, drivers and pragmas."""
