"""The contract type `pure` for import-linter: see [tool.importlinter] in pyproject.toml."""

import sys
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

TOUCHES_THE_WORLD = {
    "asyncio",
    "concurrent",
    "http",
    "multiprocessing",
    "os",
    "select",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "threading",
    "time",
    "urllib",
}
"""Of the standard library: what reads clocks, does I/O or runs things beside each other."""


class PureContract(Contract):
    """Packages that import themselves and the standard library, of which nothing with effects.

    Configuration options:

        - packages: full names; one that does not exist breaks the contract.
    """

    type_name = "pure"

    packages = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001
        allowed = sys.stdlib_module_names - TOUCHES_THE_WORLD
        faults = []
        for package in sorted(cast("set[str]", self.packages)):
            if package not in graph.modules:
                faults.append(f"{package} does not exist")
                continue
            for module in sorted({package, *graph.find_descendants(package)}):
                for imported in sorted(graph.find_modules_directly_imported_by(module)):
                    inside = imported == package or imported.startswith(f"{package}.")
                    if not inside and imported.split(".")[0] not in allowed:
                        faults.append(f"{module} imports {imported}")
        return ContractCheck(kept=not faults, metadata={"faults": faults})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for fault in check.metadata["faults"]:
            output.print_error(fault)
