"""Notebook 57's service: a model and its card, a contract, a ledger, a monitor, a server and its clients."""
