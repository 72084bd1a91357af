"""The console: where marketers and sales work; one file a page."""
