"""How ranks share the work of a round: who holds rows, who updates, what travels."""
