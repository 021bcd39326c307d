"""A small GLM-4.5V that was really trained, and the scenes it was trained on."""
