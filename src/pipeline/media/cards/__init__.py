"""Cards: pictures made of letters, so that an episode has a cover and a film where no picture is painted.

    card.py         what a card says              palette.py      its colours
    layouts.py      where things stand            artwork.py      what is drawn behind the letters
    composing.py    the words, set                breaking.py     where lines end, and how large they are
    lettering.py    faces, widths, ink            press.py        the card as a PNG

Import `press` where a card is drawn: it brings Pillow and numpy.
"""
