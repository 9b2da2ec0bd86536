"""Trains the built-in checkpoints on free pictograms; needs imagegen[train] and, once, npm."""
