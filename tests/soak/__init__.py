"""Workers killed at random moments, for as long as one likes: an app with jobs that are counted."""
