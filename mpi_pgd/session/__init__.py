"""The course of a run, from the settings to the record."""
