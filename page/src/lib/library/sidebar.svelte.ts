/** The places of the library with their counts, and the playlists. */

import { channel } from "../connection.svelte";
import { session } from "../session.svelte";
import type { Playlist } from "./types";

const DELAY_MS = 400; // many tracks change together

class Sidebar {
  playlists = $state.raw<readonly Playlist[]>([]);
  all = $state<number | null>(null);
  recent = $state<number | null>(null);
  failed = $state<number | null>(null);
  trash = $state<number | null>(null);
  flagged = $state<number | null>(null);
  /** Whether there are tracks of accounts beside the machine's. */
  hasOwners = $state(false);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private view = "combined";

  /** Ask for all of it soon. */
  refreshSoon(view = this.view) {
    this.view = view;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.refresh();
    }, DELAY_MS);
  }

  async refresh(view = this.view) {
    this.view = view;
    const count = async (words: string, of = view) =>
      (await channel.call<{ count: number }>("library.search", { words, limit: 1, view: of })).count;
    try {
      const [all, recent, failed, own, shared, trash, { playlists }] = await Promise.all([
        count(""),
        count("added:<7d"),
        count("state:failed"),
        count("", "own"),
        count("", "shared"),
        channel.call<{ count: number }>("library.trash", { offset: 1_000_000 }),
        channel.call<{ playlists: Playlist[] }>("library.playlists"),
      ]);
      this.all = all;
      this.recent = recent;
      this.failed = failed;
      this.trash = trash.count;
      this.playlists = playlists;
      const everything = view === "combined" ? all : await count("", "combined");
      this.hasOwners = own > 0 || everything > shared;
      if (session.may("admin")) this.flagged = (await channel.call<{ count: number }>("library.flags", { offset: 1_000_000 })).count;
    } catch {
      // offline: what was known stays
    }
  }
}

export const sidebar = new Sidebar();
