"""What a browser lets KCX's pages do: fetch and send nothing elsewhere, run no inline script or handler."""

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE

DIRECTIVES = {
    "default-src": [NONE],
    # Alpine, which unfold's pages use, makes functions of its attributes: only escaping keeps those out.
    "script-src": [SELF, UNSAFE_EVAL],
    # htmx and Chart.js set styles.
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:"],
    "font-src": [SELF],
    "connect-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}
