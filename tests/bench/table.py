"""The one table that the benchmarks print, and how figures look in it."""

HEAD = ("", "uWSGI's Emperor", "regent", "floor", "limit for regent", "")


class Table:
    def __init__(self):
        self.rows, self.over = [], 0

    def row(self, what, emperor, regent, floor, limit, holds):
        """holds: None where there is no limit."""
        self.reserve()(what, emperor, regent, floor, limit, holds)

    def reserve(self):
        """The place of a row whose figures come later: the function that fills it."""
        place = len(self.rows)
        self.rows.append(None)

        def fill(what, emperor, regent, floor, limit, holds):
            self.over += holds is False
            self.rows[place] = (what, emperor, regent, floor, limit, {None: "", True: "ok", False: "over"}[holds])
        return fill

    def text(self):
        rows = [HEAD, *(row for row in self.rows if row)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def ms(value):
    return f"{value:,.2f} ms" if value < 10 else f"{value:,.0f} ms"


def kib(value):
    return f"{value:.2f} KiB"


def ratio(value):
    return f"{value:.2f} x"


def count(value):
    return "not counted" if value is None else f"{value:,}"
