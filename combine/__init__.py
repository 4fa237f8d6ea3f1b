"""The Combine: a self-hosted document factory. From a brief to reviewed, sourced, versioned documents."""

__version__ = "0.1.0"
