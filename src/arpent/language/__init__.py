"""The words: names and sentences in French and English."""
