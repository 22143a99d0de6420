/** The page's one channel, with its state for components, and whether the server has a newer page. */

import { Channel, type ChannelState, type TopicListener } from "./channel";

const scheme = location.protocol === "https:" ? "wss:" : "ws:";

class Connection {
  state = $state<ChannelState>("connecting");
  /** When the last message came, in ms since 1970, at the moment the connection was lost. */
  lastSeen = $state(0);
  /** Whether the server serves another build of the page than this one. */
  isOutdated = $state(false);
  onRefused: () => void = () => undefined;

  readonly channel = new Channel({
    url: `${scheme}//${location.host}/api/channel`,
    onRefused: () => this.onRefused(),
  });

  constructor() {
    this.channel.onState((state) => {
      this.lastSeen = this.channel.lastMessage;
      this.state = state;
      if (state === "open" || state === "away") void this.compareBuild();
    });
  }

  /** Compare the entry script of the page that the server has now with the one that runs. */
  private async compareBuild() {
    const entry = /<script[^>]*type="module"[^>]*src="(\/assets\/[^"]+)"/;
    const own = document.querySelector<HTMLScriptElement>('script[type="module"][src]');
    if (!own || !new URL(own.src).pathname.startsWith("/assets/")) return; // the development server
    try {
      const response = await fetch("/", { cache: "no-cache", headers: { Accept: "text/html" } });
      const found = entry.exec(await response.text())?.[1];
      if (response.ok && found) this.isOutdated = found !== new URL(own.src).pathname;
    } catch {
      // it is lost again; the next connection compares
    }
  }
}

export const connection = new Connection();
export const channel = connection.channel;

/**
 * Join a topic as long as the component lives; call it while a component is initialised.
 * The topic may change: give a function that returns it, or null for none.
 */
export function useTopic(topic: () => string | null, listener: TopicListener) {
  $effect(() => {
    const name = topic();
    return name === null ? undefined : channel.join(name, listener);
  });
}
