/** What is done to tracks and playlists, with its undo in the toast. */

import { lineOf } from "../api/problem";
import { channel } from "../connection.svelte";
import { t } from "../strings";
import { toasts } from "../toast.svelte";
import { list } from "./list.svelte";
import { sidebar } from "./sidebar.svelte";
import type { Playlist } from "./types";

const l = t.library;
const short = (title: string) => (title.length > 60 ? `${title.slice(0, 60)}…` : title);

/** Run a change and report its error in a toast; return whether it was done. */
export async function attempt(change: () => Promise<void>): Promise<boolean> {
  try {
    await change();
    return true;
  } catch (error) {
    toasts.show(lineOf(error), "bad");
    return false;
  }
}

function undo(run: () => Promise<void>) {
  return { label: l.undo, run: () => void attempt(run) };
}

export async function trash(id: number, title: string): Promise<boolean> {
  return attempt(async () => {
    const { left } = await channel.call<{ left: boolean }>("library.remove", { track: id });
    list.drop((item) => item.id === id);
    list.isStale = true;
    sidebar.refreshSoon();
    if (left) toasts.show(l.left(short(title)), "ok");
    else toasts.show(l.trashed(short(title)), "ok", undo(() => restore(id, title)));
  });
}

export async function restore(id: number, title: string) {
  await channel.call("library.restore", { track: id });
  list.isStale = true;
  sidebar.refreshSoon();
  toasts.show(l.restored(short(title)), "ok");
}

export async function retry(job: number) {
  await attempt(async () => {
    await channel.call("jobs.retry", { jobs: [job] });
    toasts.show(l.retried, "ok");
  });
}

export async function addTo(playlist: string, id: number, title: string) {
  await attempt(async () => {
    const { entries } = await channel.call<{ entries: number[] }>("library.playlist_add", { name: playlist, tracks: [`#${id}`] });
    sidebar.refreshSoon();
    list.isStale = true;
    toasts.show(
      l.added(short(title), short(playlist)),
      "ok",
      undo(async () => {
        for (const entry of entries) await channel.call("library.playlist_take", { entry });
        sidebar.refreshSoon();
        list.isStale = true;
      }),
    );
  });
}

/** Take a row out of the playlist that is shown. */
export async function takeOut(playlist: string, index: number, title: string) {
  const item = list.items[index];
  if (item?.entry === undefined) return;
  const entry = item.entry;
  await attempt(async () => {
    await channel.call("library.playlist_take", { entry });
    list.drop((each) => each.entry === entry);
    sidebar.refreshSoon();
    toasts.show(
      l.takenOut(short(title)),
      "ok",
      undo(async () => {
        const added = await channel.call<{ entries: number[] }>("library.playlist_add", { name: playlist, tracks: [`#${item.id}`] });
        for (const back of added.entries) await channel.call("library.playlist_move", { entry: back, to: index });
        await list.refresh();
        sidebar.refreshSoon();
      }),
    );
  });
}

/** Move a row of the playlist that is shown. */
export async function moveEntry(from: number, to: number) {
  const entry = list.items[from]?.entry;
  if (entry === undefined || from === to) return;
  list.move(from, to);
  const done = await attempt(async () => {
    await channel.call("library.playlist_move", { entry, to });
    toasts.show(l.moved(to + 1), "ok", undo(async () => {
      await channel.call("library.playlist_move", { entry, to: from });
      await list.refresh();
    }));
  });
  if (!done) list.move(to, from);
}

export async function createPlaylist(name: string) {
  await channel.call("library.playlist_add", { name, tracks: [] });
  await sidebar.refresh();
}

export async function renamePlaylist(name: string, to: string) {
  await channel.call("library.playlist_rename", { name, to });
  await sidebar.refresh();
}

/** Delete a playlist; the undo makes it again with the same tracks. */
export async function dropPlaylist(playlist: Playlist): Promise<boolean> {
  return attempt(async () => {
    const tracks: string[] = [];
    for (;;) {
      const page = await channel.call<{ entries: { id: number }[] }>("library.playlist", {
        name: playlist.name,
        offset: tracks.length,
      });
      tracks.push(...page.entries.map(({ id }) => `#${id}`));
      if (!page.entries.length || tracks.length >= playlist.tracks) break;
    }
    await channel.call("library.playlist_drop", { name: playlist.name });
    sidebar.refreshSoon();
    toasts.show(
      l.deleted(short(playlist.name)),
      "ok",
      undo(async () => {
        await channel.call("library.playlist_add", { name: playlist.name, tracks });
        await sidebar.refresh();
      }),
    );
  });
}
