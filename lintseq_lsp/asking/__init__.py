"""The ways of asking the model: one function each, all for one `Job`."""
