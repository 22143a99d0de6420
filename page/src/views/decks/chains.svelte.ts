/** The chains of effects that there are, read once a connection. */

import { channel } from "../../lib/connection.svelte";

class Chains {
  names = $state.raw<readonly string[]>([]);
  private isRead = false;

  async read() {
    if (this.isRead) return;
    this.isRead = true;
    try {
      const { built_in, chains } = await channel.call<{ built_in: string[]; chains: string[] }>("chains.list");
      this.names = [...built_in, ...chains.filter((name) => !built_in.includes(name))];
    } catch {
      this.isRead = false; // backstage is away: the next panel asks again
    }
  }
}

export const chains = new Chains();
