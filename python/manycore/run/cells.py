"""The cells of an IPython session cross into libraries as a user's module does."""

from __future__ import annotations

import ast

from manycore.run import import_hook, transform


class CellTransformer(ast.NodeTransformer):
    """Rewrites the cells of an IPython session; names that hold values of libraries are remembered from cell to cell."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Module):
            self.known |= transform.foreign_names(node, import_hook.is_foreign_package, self.known)
            transform.transform(node, import_hook.is_foreign_package, self.known)
        return node
