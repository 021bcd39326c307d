"""From bytes on disk to upright RGB pixels: pictures, videos, documents."""
