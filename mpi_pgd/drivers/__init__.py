"""What is done with reduced sums: they are judged, and the next query is asked."""
