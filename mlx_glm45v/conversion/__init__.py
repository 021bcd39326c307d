"""From one checkpoint to another: reading, quantising and writing in bounded memory."""
