"""Where rows come from: files, the cut into blocks, a rank's shard of them, and made-up rows."""
