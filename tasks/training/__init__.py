"""How networks are trained: settings, recipes, losses and the loop."""
