"""The explorer of a leaderboard."""
