"""What the peers experiment is made of: the work, how a trial measures it, and who does it."""
