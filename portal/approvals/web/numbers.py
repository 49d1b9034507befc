"""An application's number in an address."""


class NumberConverter:
    """Such as 7KQ2-M9XP, in capitals or not."""

    regex = "[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{4}-[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{4}"

    def to_python(self, value: str) -> str:
        return value.upper()

    def to_url(self, value: str) -> str:
        return value
