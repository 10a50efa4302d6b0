"""Settings of the parts the API is made of: read by kcx/settings.py, changed by no environment."""

from typing import Any

APPS = ["kcx.api.apps.ApiConfig", "knox", "rest_framework", "drf_spectacular", "drf_spectacular_sidecar"]
KEYS = "api.Token"
# Its migrations would make the table that ours stands in for.
WITHOUT_MIGRATIONS = {"knox": None}
REST_FRAMEWORK: dict[str, Any] = {
    # A session is no key to the API: what a browser sends by itself opens nothing here.
    "DEFAULT_AUTHENTICATION_CLASSES": ["kcx.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["kcx.api.authentication.IsServiceUser"],
    "DEFAULT_THROTTLE_CLASSES": ["kcx.api.throttling.TokenThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "kcx.api.pagination.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "kcx.api.schema.Described",
    "EXCEPTION_HANDLER": "kcx.api.problems.answer",
    "URL_FORMAT_OVERRIDE": None,
}
REST_KNOX: dict[str, Any] = {"TOKEN_PREFIX": "kcx_"}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "KCX read API",
    "DESCRIPTION": "What KCX ingested, read-only. A token sees the clients it was made for and nothing else.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "ENUM_NAME_OVERRIDES": {
        "FileStatus": "ingestion.models.SourceFile.Status",
        "DeliveryStatus": "ingestion.models.Delivery.Status",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "kcx.api.schema.add_problems",
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
