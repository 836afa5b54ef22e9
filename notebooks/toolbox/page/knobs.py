"""The knobs of a notebook, checked before anything runs."""


def check_knobs(**knobs):
    """Raise ValueError, in one sentence, for the first knob whose value makes no sense.

    knobs: NAME=(value, low, high) for a number from low to high (whole, if both ends
    are ints), NAME=(value, low, high, None) where None ("decide for me") will do, too,
    or NAME=(value, [choices]) for one of several.
    """
    for name, (value, *allowed) in knobs.items():
        if len(allowed) == 1:
            if value not in allowed[0]:
                choices = ", ".join(map(repr, allowed[0]))
                raise ValueError(f"{name} = {value!r}: it must be one of {choices}.")
            continue
        low, high, *also = allowed
        if value in also:
            continue
        whole = isinstance(low, int) and isinstance(high, int)
        number = isinstance(value, int if whole else (int, float)) and not isinstance(
            value, bool
        )
        if not number or not low <= value <= high:
            also = " or None" if also else ""
            kind = "a whole number" if whole else "a number"
            raise ValueError(
                f"{name} = {value!r}: it must be {kind} from {low} to {high}{also}."
            )
