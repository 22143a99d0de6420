/**
 * Which controls the view has a place for. All others that `describe` has, today's and those to come,
 * are in the panels "More" by themselves. Pure.
 */

/** Of a deck, behind `deckN.`; a star stands for one name. */
const DECK = [
  ...["play", "cue", "cue_point", "position", "needle", "rate", "rate_range", "tempo_fader", "bpm", "bend"],
  ...["keylock", "keylock_mode", "pitch", "key_match", "sync", "sync_align", "sync_bar", "leader", "quantise"],
  ...["jump", "slip", "reverse", "censor", "brake", "spinback", "scratch", "platter", "touch"],
  ...["trim", "filter", "fx1", "fx2", "fader", "assign", "pfl", "level", "acapella", "instrumental", "stem_key"],
  ...["hotcue_bank", "title", "artist", "album", "key", "audible_key", "loaded", "ready", "duration", "tempo"],
  ...["beat", "phase_error", "track", "cue_lamp", "play_lamp", "load_selected"],
  ...["eq.*.gain", "eq.*.kill", "hotcue*.*", "memory.*"],
  ...["loop.active", "loop.start", "loop.end", "loop.length", "loop.set_in", "loop.set_out", "loop.beatloop"],
  ...["loop.reloop", "loop.halve", "loop.double", "loop.move", "loop.roll"],
  ...["volume", "mute", "solo", "loop", "loop_length", "roll", "swap", "hand_over", "level", "source"].map(
    (name) => `stem.*.${name}`,
  ),
  ...["fx1", "fx2"].map((name) => `stem.*.${name}`),
];

/** Of the rest of the desk. */
const OTHERS = [
  ...["crossfader", "crossfader_curve", "stems_undo", "stem_fader.*"],
  ...["master.volume", "master.level", "master.booth", "master.fx1", "master.fx2", "master.limiter.reduction"],
  ...["phones.volume", "phones.mix", "phones.split", "clock.tap", "clock.beat", "clock.current", "clock.source"],
  ...["clock.beats_per_bar", "clock.bars_per_phrase", "fx*.on", "fx*.mix", "fx*.macro", "fx*.chain", "fx*.mode"],
  ...["fx*.timing", "fx*.slot*.*", "pad*.*", "sampler.volume", "sampler.stop", "sampler.level"],
  ...["recorder.*", "preset.*", "session.locked", "browse.*", "browse.*.*", "session.shift", "session.focus"],
];

const matcher = (pattern: string) => new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", "[^.]*")}$`);
const deckMatchers = DECK.map(matcher);
const otherMatchers = OTHERS.map(matcher);

/** Return whether the view has a place of its own for a control. */
export function isPlaced(path: string): boolean {
  const deck = /^deck\d+\.(.*)$/.exec(path);
  return deck ? deckMatchers.some((each) => each.test(deck[1] ?? "")) : otherMatchers.some((each) => each.test(path));
}

/** A group of controls that have no place. */
export interface Unplaced {
  group: string;
  paths: string[];
}

/** Return the controls without a place by group: of a deck, or of the rest of the desk. */
export function unplaced(
  infos: Iterable<{ path: string; group: string; kind: string }>,
  deck: number | null,
): Unplaced[] {
  const groups = new Map<string, string[]>();
  for (const { path, group } of infos) {
    const isOfDeck = /^deck(\d+)\./.exec(path);
    if (deck === null ? isOfDeck : Number(isOfDeck?.[1]) !== deck) continue;
    if (isPlaced(path)) continue;
    const paths = groups.get(group);
    if (paths) paths.push(path);
    else groups.set(group, [path]);
  }
  return [...groups].map(([group, paths]) => ({ group, paths }));
}
