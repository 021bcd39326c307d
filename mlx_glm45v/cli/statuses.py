"""What the command line ends with; 2 for wrong usage is argparse's own."""

DONE, FAILED, INTERRUPTED = 0, 1, 130
