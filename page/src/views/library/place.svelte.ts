/** Where the library was when it was left, its query; and the place of a track that was asked for elsewhere. */

interface Remembered {
  query: Record<string, string>;
  /** Shown as soon as the track is there; null without one, or without a place in it. */
  jump: { track: number; position_s: number | null } | null;
}

export const place = $state<Remembered>({ query: {}, jump: null });
