/** The window's size, and which of the four layouts it means. */

class Layout {
  width = $state(innerWidth);
  height = $state(innerHeight);

  begin() {
    addEventListener("resize", () => {
      this.width = innerWidth;
      this.height = innerHeight;
    });
  }

  /** One deck, a tab bar. */
  get isPhone(): boolean {
    return this.width < 600;
  }

  /** Decks above each other, lists of full width. */
  get isNarrow(): boolean {
    return this.width < 900;
  }

  /** All at once. */
  get isWide(): boolean {
    return this.width >= 1400;
  }

  /** Short lanes: see the table of layouts. */
  get isLow(): boolean {
    return this.height < 700;
  }
}

export const layout = new Layout();
