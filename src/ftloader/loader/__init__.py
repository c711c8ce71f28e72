"""Loaders: plans, pipelines and buffers composed into what people import."""

from ftloader.loader.loader import Loader

__all__ = ["Loader"]
