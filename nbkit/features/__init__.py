"""What an atlas is asked: its features, similar ones, phrases, token importance, neurons worth showing."""
