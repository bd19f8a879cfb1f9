"""A simulator and the product that uses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .product import Product
from .simulator import Simulator
from .vendor import Vendor


class Stack:
    def __init__(self, folder: Path, api_version: str | None = None, database: str | None = None) -> None:
        self.folder = folder
        self._api_version = api_version
        self._database = database
        self.simulator = Simulator(folder)
        self.products: list[Product] = []

    def start(self) -> "Stack":
        try:
            self.simulator.start()
            self.products.append(self._first_product().start())
        except BaseException:
            self.close()
            raise
        return self

    def _first_product(self) -> Product:
        return Product(self.simulator, self.folder, api_version=self._api_version, database=self._database)

    @property
    def product(self) -> Product:
        return self.products[0]

    def add_replica(self) -> Product:
        """One more process on the same database, with its own webhook endpoint: every event reaches both."""
        name = f"licensekit-{len(self.products) + 1}"
        replica = Product(self.simulator, self.folder, name=name, replica_of=self.product)
        self.products.append(replica)
        return replica.start()

    def new_vendor(self, install: bool = True, **settings: Any) -> Vendor:
        return Vendor(self.simulator, self.product, install=install, **settings)

    def close(self) -> None:
        self.simulator.close()
        for product in reversed(self.products):
            product.close()
