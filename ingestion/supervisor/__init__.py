"""`manage.py worker`: keeps a django-q2 cluster working, and starts it anew where it hangs or dies."""
