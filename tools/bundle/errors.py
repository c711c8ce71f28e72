"""The one exception of this folder."""


class BundleError(Exception):
    """Something that cannot be packed; the message says what, where and what to do."""
