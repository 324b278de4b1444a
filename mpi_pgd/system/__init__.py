"""This machine and its batch system: files, streams, claims, versions."""
