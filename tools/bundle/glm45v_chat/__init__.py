"""What the macOS bundle starts. Briefcase wants a package of the app's own name."""
