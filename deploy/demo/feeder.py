"""Writes orders to the topic "orders", a few a second, through the daemon."""

from __future__ import annotations

import itertools
import random
import sys
import time
from pathlib import Path
from typing import Any

import datapy_kafka

CUSTOMERS = ["anna", "ben", "clara", "david", "emma", "felix", "greta", "hugo"]
GOODS = {"coffee": 420, "tea": 310, "cake": 380, "water": 150, "soup": 690}


def order(number: int) -> dict[str, Any]:
    """The order of that number. Every 37th was made by a till that forgot the price."""
    item, price = random.choice(list(GOODS.items()))
    made = {"order_id": number, "customer": random.choice(CUSTOMERS), "item": item,
            "quantity": random.randint(1, 4), "price_cents": price}
    if number % 37 == 20:
        del made["price_cents"]
    return made


def main(ready: Path, orders_per_second: float) -> None:
    """Feeds until it is ended. Makes the file `ready` once the first orders are written."""
    with datapy_kafka.connect() as kafka:
        numbers = itertools.count(1)
        kafka.produce("orders", [order(next(numbers)) for _ in range(12)], key_column="customer")
        ready.touch()
        for number in numbers:
            time.sleep(random.expovariate(orders_per_second))
            kafka.produce("orders", order(number), key_column="customer")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
