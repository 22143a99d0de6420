/** Where the playhead is in every view of a deck: a third from the left, so that decks line up. */

export const HEAD = 1 / 3;
