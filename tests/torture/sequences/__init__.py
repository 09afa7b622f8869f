"""Random sequences over many connections to one server, and a model of what it may answer."""
