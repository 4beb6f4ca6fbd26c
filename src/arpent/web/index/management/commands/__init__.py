"""One command of ``manage.py`` each."""
