"""Staff who are logged in."""

from django.contrib.auth.models import Group, User
from django.test import Client as Browser


def browser_of(group: str) -> Browser:
    """That of somebody of the group, who is named like it."""
    person, _ = User.objects.get_or_create(username=group, is_staff=True)
    person.groups.add(Group.objects.get(name=group))
    browser = Browser()
    browser.force_login(person)
    return browser
