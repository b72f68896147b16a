"""One file a model; `neurons.registry` finds every module of this folder by itself."""
