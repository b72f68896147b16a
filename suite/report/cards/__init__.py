"""Cards of the models: what each computes, how it behaves, what it costs and where it stands, from its step alone."""
