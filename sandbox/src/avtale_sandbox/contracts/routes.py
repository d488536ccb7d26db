"""Finds the operation that a method and a path mean, from the contract files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from .contract import Operation

Target = TypeVar("Target")


class _Node(Generic[Target]):
    __slots__ = ("anything", "exact", "names", "targets")

    def __init__(self) -> None:
        self.exact: dict[str, _Node[Target]] = {}
        self.anything: _Node[Target] | None = None
        self.names: dict[str, tuple[str, ...]] = {}
        self.targets: dict[str, Target] = {}


class Found(Generic[Target]):
    """What a path leads to: a target with the path's values, or the methods that would be possible."""

    __slots__ = ("methods", "target", "values")

    def __init__(self, target: Target | None, values: dict[str, str], methods: tuple[str, ...]) -> None:
        self.target = target
        self.values = values
        self.methods = methods


class Routes(Generic[Target]):
    """A tree of path segments. A literal segment wins over a parameter; doubled slashes count as one."""

    def __init__(self, targets: Iterable[tuple[Operation, Target]]) -> None:
        self._root: _Node[Target] = _Node()
        for operation, target in targets:
            self._add(operation, target)

    def find(self, method: str, path: str) -> Found[Target]:
        """What the path (percent-decoded) leads to."""
        values: list[str] = []
        node: _Node[Target] | None = self._root
        for segment in path.split("/"):
            if not segment:
                continue
            if node is None:
                break
            following = node.exact.get(segment) or node.exact.get(segment.lower() + "~")
            if following is None and node.anything is not None:
                values.append(segment)
                following = node.anything
            node = following
        if node is None or not node.targets:
            return Found(None, {}, ())
        target = node.targets.get(method)
        if target is None:
            return Found(None, {}, tuple(node.targets))
        return Found(target, dict(zip(node.names[method], values, strict=True)), ())

    def _add(self, operation: Operation, target: Target) -> None:
        node = self._root
        names = []
        for segment in operation.path.strip("/").split("/"):
            if segment.startswith("{"):
                names.append(segment[1:-1])
                if node.anything is None:
                    node.anything = _Node()
                node = node.anything
            else:
                # A "~" marks the spelling that any mixture of upper and lower case leads to.
                key = segment.lower() + "~" if operation.ignores_case else segment
                node = node.exact.setdefault(key, _Node())
        node.targets[operation.method] = target
        node.names[operation.method] = tuple(names)
