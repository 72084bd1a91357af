"""What the database promises: migrations, guards, trouble, replay."""
