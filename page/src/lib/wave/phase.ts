/** How two decks are in phase. Pure. */

const IN_TIME = 0.01; // beats; less is inaudible

export type Phase =
  | { is: "none" }
  | { is: "in-time"; deck: number }
  | { is: "late" | "early"; deck: number; beats: number };

/** What is known of a deck that may follow. */
export interface Follower {
  deck: number;
  isSynced: boolean;
  isLeader: boolean;
  isPlaying: boolean;
  /** How far its beat lags behind the leader's, -0.5 to 0.5. */
  lag: number;
}

/** Return the deck whose row of beats is shifted: one that syncs, else the one that does not lead. */
export function followerOf(left: Follower, right: Follower): Follower | null {
  if (!left.isPlaying || !right.isPlaying) return null;
  if (right.isSynced && !right.isLeader) return right;
  if (left.isSynced && !left.isLeader) return left;
  if (left.isLeader !== right.isLeader) return left.isLeader ? right : left;
  return null;
}

/** Return how a deck is in phase with the one that leads. */
export function phaseOf(follower: Follower | null): Phase {
  if (!follower) return { is: "none" };
  const { deck, lag } = follower;
  const beats = Math.abs(lag);
  if (beats < IN_TIME) return { is: "in-time", deck };
  return { is: lag > 0 ? "late" : "early", deck, beats };
}

/** Return the place of a beat in its row, from 0. */
export function placeInRow(beat: number, beats = 4): number {
  return ((Math.floor(beat) % beats) + beats) % beats;
}
