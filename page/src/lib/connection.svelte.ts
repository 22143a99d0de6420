/** The page's one channel, with its state for components, and whether the server has a newer page. */

import { newerBuild, ownBuild } from "./build";
import { Channel, type ChannelState, type TopicListener } from "./channel";

const scheme = location.protocol === "https:" ? "wss:" : "ws:";

class Connection {
  state = $state<ChannelState>("connecting");
  /** When the last message came, in ms since 1970, at the moment the connection was lost. */
  lastSeen = $state(0);
  /** The build of the page that the server has, if it is another one than this; else empty. */
  newerBuild = $state("");
  onRefused: () => void = () => undefined;

  readonly channel = new Channel({
    url: `${scheme}//${location.host}/api/channel`,
    onRefused: () => this.onRefused(),
  });

  constructor() {
    document.documentElement.dataset["connection"] = this.state;
    this.channel.onState((state) => {
      this.lastSeen = this.channel.lastMessage;
      this.state = state;
      document.documentElement.dataset["connection"] = state === "open" ? "online" : state;
      if (this.channel.isOpen) void newerBuild(ownBuild(document)).then((build) => (this.newerBuild = build));
    });
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
