/** Notifications: the unread ones as they come, all of them when the list is opened. */

import { channel } from "./connection.svelte";

export interface Notification {
  id: number;
  time_s: number;
  level: string;
  kind: string;
  sentence: string;
  hint: string;
  track: number | null;
  job: number | null;
  read: boolean;
}

interface List {
  notifications: Notification[];
  unread: number;
}

class Notifications {
  unread = $state(0);
  list = $state.raw<readonly Notification[]>([]);

  begin() {
    channel.join("notifications", ({ event, data }) => {
      if (event === "state") this.unread = countOf(data);
      else if (event === "notification") void this.load();
    });
  }

  async load() {
    const found = await channel.call<List>("notifications.list", { limit: 50 });
    this.list = found.notifications;
    this.unread = found.unread;
  }

  /** Mark some as read. */
  async read(ids: readonly number[]) {
    await channel.call("notifications.read", { notifications: [...ids] });
    await this.load();
  }

  async readAll() {
    await channel.call("notifications.read", { everything: true });
    await this.load();
  }
}

/** Return the number of unread ones that the topic's `state` means. */
function countOf(data: unknown): number {
  if (Array.isArray(data)) return data.length;
  const found = data as { unread?: number; notifications?: unknown[] } | null;
  return found?.unread ?? found?.notifications?.length ?? 0;
}

export const notifications = new Notifications();
