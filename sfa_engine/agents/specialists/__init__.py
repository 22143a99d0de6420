"""The six agents: each answers fully by rules, with the tools that a model is given too."""
