"""Sessions of boto3's, each its own; what AWS looks like is read once in a process for all of them."""

import copy
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.hooks import HierarchicalEmitter
from botocore.loaders import Loader, create_loader


def botocore_session() -> botocore.session.Session:
    """A session of its own: one that is shared is not safe among threads."""
    session = botocore.session.Session(event_hooks=copy.copy(_hooks()), include_builtin_handlers=False)
    session.register_component("data_loader", _service_models())
    return session


def boto3_session(**credentials: Any) -> boto3.Session:
    """The same as boto3 has it; without `credentials` those of boto3's default chain."""
    return boto3.Session(botocore_session=botocore_session(), **credentials)


@cache
def _service_models() -> Loader:
    """botocore's descriptions of AWS: reading them takes longer than a small load, or than a question."""
    return create_loader()


@cache
def _hooks() -> HierarchicalEmitter:
    """botocore's own handlers, of which each session has a copy: registering them takes far longer."""
    hooks = HierarchicalEmitter()
    botocore.session.Session(event_hooks=hooks)
    return hooks
