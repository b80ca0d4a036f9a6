"""The crash harness: kills the updater at a point or a moment, then looks at what is left."""
