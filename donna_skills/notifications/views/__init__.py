"""The pages of the inbox, of what a person wants to hear, and of the ways out of the house."""
