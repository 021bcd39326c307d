"""Lists of words: those of pages, and nouns that the demo is never taught to know."""

from __future__ import annotations


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ON_PAGES = _listed(
    """
    sun moon tree bird fish lake boat road wind snow rain leaf house river field
    cloud bread milk apple lemon table chair door lamp clock paper king queen child
    friend runs jumps sings sleeps looks waits finds takes old new big cold warm
    quiet under over near with
    """
)
NEVER_TAUGHT = _listed(
    """
    dog cat horse cow sheep pig lion tiger zebra mouse duck frog snake bear wolf fox
    car train plane bicycle truck bus rocket robot phone computer camera guitar
    piano banana juice cake pizza coffee tea soup salad cheese egg potato carrot
    France Spain Italy Peru Japan Kenya Canada Berlin Paris London Tokyo Madrid
    Cairo doctor teacher farmer pilot soldier baby woman man girl boy uncle
    neighbour mountain island desert forest beach bridge castle church tower garden
    street shirt hat shoe coat ring watch umbrella bag knife fork spoon plate cup
    bottle number letter sentence story song dance game ball doll kite drum hammer
    nail saw Mozart Einstein Shakespeare Newton Picasso cube cone sphere hexagon
    pentagon line
    """
)
# Asked of the trained model only.
NEVER_SEEN = _listed(
    """
    elephant rabbit monkey penguin eagle spider goat donkey tractor boat-house
    helicopter violin trumpet cherry onion sandwich Norway Brazil Egypt Rome Athens
    sailor nurse sister volcano valley harbour library jacket glove scarf candle
    mirror pillow poem riddle Beethoven Darwin Goethe pyramid cylinder octagon
    """
)
