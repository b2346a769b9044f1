"""The package list only: the root folders become ``toklab.*`` (everything else is in pyproject.toml)."""

from setuptools import find_namespace_packages, setup

FOLDERS = ("bench", "tokenizers", "datasets", "reports")

setup(packages=["toklab." + name for root in FOLDERS for name in find_namespace_packages(include=[root, f"{root}.*"])])
