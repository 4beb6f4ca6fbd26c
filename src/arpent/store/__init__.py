"""Run folders and what lies in them; readable without torch."""
