"""A small inventory: what is in stock, what it is worth, what has to be ordered again."""

from dataclasses import dataclass, field


@dataclass
class Item:
    """A product on the shelf. `price` is for one piece, in cents."""

    name: str
    price: int
    count: int = 0
    minimum: int = 0

    def value(self) -> int:
        """What all pieces together are worth, in cents."""
        return self.price * self.count

    def is_scarce(self) -> bool:
        """Whether fewer pieces are left than there should be."""
        return self.count < self.minimum


@dataclass
class Inventory:
    """All items, by name."""

    items: dict[str, Item] = field(default_factory=dict)

    def add(self, name: str, price: int, count: int = 1, minimum: int = 0) -> Item:
        """Puts pieces on the shelf. A new price counts for the old pieces, too."""
        item = self.items.get(name)
        if item is None:
            item = Item(name, price, 0, minimum)
            self.items[name] = item
        item.price = price
        item.count += count
        return item

    def take(self, name: str, count: int = 1) -> Item:
        """Takes pieces off the shelf. Raises ValueError when there are not enough."""
        item = self.items[name]
        if item.count < count:
            raise ValueError(f"only {item.count} of {name} are left")
        item.count -= count
        return item

    def total_value(self) -> int:
        """What the whole inventory is worth, in cents."""

    def scarce_items(self) -> list[Item]:
        """The items that have to be ordered again, sorted by name."""


def euros(cents: int) -> str:
    """An amount as people write it: 12345 is "123.45 €"."""
    return f"{cents // 100}.{cents % 100:02} €"


def report(inventory: Inventory) -> str:
    """One line for each item, and what all of it is worth."""
    lines = []
    for item in inventory.items.values():
        mark = "!" if item.is_scarce() else " "
        lines.append(f"{mark} {item.name:20} {item.count:5} {euros(item.value()):>12}")
    return "\n".join(lines)


def main() -> None:
    """Prints the report of a shop that sells three things."""
    inventory = Inventory()
    inventory.add("teapot", 2450, count=4, minimum=2)
    inventory.add("cup", 399, count=3, minimum=12)
    inventory.add("kettle", 3900, count=7, minimum=3)
    inventory.take("kettle", 5)
    print(report(inventory))


if __name__ == "__main__":
    main()
