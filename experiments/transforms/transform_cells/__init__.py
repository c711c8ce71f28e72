"""The cells of the transforms experiment: steps beside their peers, and whole recipes."""
