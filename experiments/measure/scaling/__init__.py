"""What we claim of models at scale: that kills cost nothing, how fast they train, and exports."""
