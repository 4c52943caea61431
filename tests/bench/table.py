"""The tables that the benchmarks print, and how figures look in them."""

HEAD = ("", "uWSGI's Emperor", "regent", "floor", "limit for regent", "")


class Table:
    def __init__(self, head=HEAD):
        self.head, self.rows, self.over = head, [], 0

    def row(self, what, emperor, regent, floor, limit, holds):
        """holds: None where there is no limit."""
        self.reserve()(what, emperor, regent, floor, limit, holds)

    def reserve(self):
        """The place of a row whose figures come later: the function that fills it."""
        place = len(self.rows)
        self.rows.append(None)

        def fill(what, emperor, regent, floor, limit, holds):
            self._put(place, (what, emperor, regent, floor, limit), holds)
        return fill

    def line(self, cells, holds):
        """A row of a table with another head: all its cells but the last."""
        self.rows.append(None)
        self._put(len(self.rows) - 1, cells, holds)

    def _put(self, place, cells, holds):
        self.over += holds is False
        self.rows[place] = (*cells, {None: "", True: "ok", False: "over"}[holds])

    def text(self):
        rows = [self.head, *(row for row in self.rows if row)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(self.head))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def ms(value):
    return f"{value:,.2f} ms" if value < 10 else f"{value:,.0f} ms"


def kib(value):
    return f"{value:.2f} KiB"


def ratio(value):
    return f"{value:.2f} x"


def count(value):
    return "not counted" if value is None else f"{value:,}"
