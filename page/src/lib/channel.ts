/**
 * The channel: one WebSocket for everything that changes, and for calls.
 *
 * It comes back by itself, joins its topics again, and sends nothing late: what is called while
 * there is no connection is refused, and what a lost connection leaves open fails.
 */

import { decode, encode } from "@msgpack/msgpack";
import { ServerClock } from "./clock";

export const SUBPROTOCOL = "sfa.msgpack";

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 5000;
const CONNECT_TIMEOUT_MS = 5000; // a slow link opens within one
const HEARTBEAT_MS = 4000;
const SILENCE_MS = 5000; // without any message after a ping: the connection is dead
const WAKE_PING_MS = 2000;
const SLEEP_MS = 15_000; // between two heartbeats: this device slept, and so did its connection
const CALL_TIMEOUT_MS = 15_000;
const POLICY = 1008; // the session ended
const FIRST_PINGS_MS = [0, 60, 200, 500, 1200]; // until the clock's offset is good

export type ChannelState = "connecting" | "open" | "away" | "offline";

/** A message of a topic. */
export interface TopicEvent {
  topic: string;
  event: string;
  data: unknown;
}

export type TopicListener = (event: TopicEvent) => void;

/** An error of a call: of the server, or `offline`, `lost`, `timeout` of the channel itself. */
export class CallError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly hint = "",
  ) {
    super(message);
    this.name = "CallError";
  }
}

export interface ChannelOptions {
  url: string;
  /** Ask whether the session is valid still; the connection was refused or closed for it. */
  onRefused?: () => void;
  WebSocket?: typeof WebSocket;
  retryMs?: number;
  silenceMs?: number;
}

interface Call {
  resolve: (result: unknown) => void;
  reject: (error: CallError) => void;
  timer: ReturnType<typeof setTimeout>;
}

interface Topic {
  listeners: Set<TopicListener>;
  paths: readonly string[] | undefined;
  isAway: boolean;
  last: Map<string, TopicEvent>; // what a listener that comes later is told: `state` and `names`
}

interface Message {
  topic?: string;
  event?: string;
  data?: unknown;
  id?: number;
  result?: unknown;
  error?: { code: string; message: string; hint?: string };
  pong?: number;
  time_s?: number;
}

export const now_s = () => performance.now() / 1000;

export class Channel {
  readonly clock = new ServerClock();

  private socket: WebSocket | undefined;
  private state_: ChannelState = "connecting";
  private readonly stateListeners = new Set<(state: ChannelState) => void>();
  private readonly topics = new Map<string, Topic>();
  private readonly calls = new Map<number, Call>();
  private readonly pings = new Map<number, number>();
  private readonly timers = new Set<ReturnType<typeof setTimeout>>();
  private nextId = 1;
  private failures = 0;
  private wasOpen = false;
  private isStarted = false;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private deadline: ReturnType<typeof setTimeout> | undefined;
  private heartbeat: ReturnType<typeof setInterval> | undefined;
  private lastBeat = Date.now();
  /** When the last message came, in ms since 1970; what is shown is of then. */
  lastMessage = 0;

  constructor(private readonly options: ChannelOptions) {}

  get state(): ChannelState {
    return this.state_;
  }

  /** Whether calls are sent. With `away` they are too: backstage may be there without the engine. */
  get isOpen(): boolean {
    return this.state_ === "open" || this.state_ === "away";
  }

  onState(listener: (state: ChannelState) => void): () => void {
    this.stateListeners.add(listener);
    return () => this.stateListeners.delete(listener);
  }

  // ------------------------------------------------------------------ start and stop

  start() {
    if (this.isStarted) return;
    this.isStarted = true;
    this.lastBeat = Date.now();
    this.heartbeat = setInterval(this.beat, HEARTBEAT_MS);
    if (typeof document !== "undefined") document.addEventListener("visibilitychange", this.onVisible);
    if (typeof window !== "undefined") {
      window.addEventListener("online", this.wake);
      window.addEventListener("pageshow", this.wake);
    }
    this.connect();
  }

  stop() {
    if (!this.isStarted) return;
    this.isStarted = false;
    clearInterval(this.heartbeat);
    clearTimeout(this.retryTimer);
    if (typeof document !== "undefined") document.removeEventListener("visibilitychange", this.onVisible);
    if (typeof window !== "undefined") {
      window.removeEventListener("online", this.wake);
      window.removeEventListener("pageshow", this.wake);
    }
    this.abandon();
    this.failures = 0;
    this.wasOpen = false;
    this.setState("connecting");
  }

  /** Try at once, whatever the back-off says. */
  retryNow() {
    this.failures = 0;
    this.reconnect();
  }

  private readonly onVisible = () => {
    if (document.visibilityState === "visible") this.wake();
  };

  /** The page is seen again, or the network is back: find out now whether the connection lives. */
  readonly wake = () => {
    if (!this.isStarted) return;
    const slept = Date.now() - this.lastBeat > SLEEP_MS;
    this.lastBeat = Date.now();
    const opening = this.socket?.readyState === 0 && !slept;
    if (opening) return;
    this.failures = 0;
    if (slept || !this.isOpen) this.reconnect();
    else this.ping(this.options.silenceMs ?? WAKE_PING_MS);
  };

  private readonly beat = () => {
    const slept = Date.now() - this.lastBeat > SLEEP_MS;
    if (slept) this.wake();
    else if (this.isOpen) this.ping(this.options.silenceMs ?? SILENCE_MS);
    this.lastBeat = Date.now();
  };

  // ------------------------------------------------------------------ the connection

  private connect() {
    clearTimeout(this.retryTimer);
    const Socket = this.options.WebSocket ?? WebSocket;
    const socket = new Socket(this.options.url, SUBPROTOCOL);
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.onOpen();
    socket.onmessage = ({ data }: MessageEvent) => {
      if (data instanceof ArrayBuffer) this.onMessage(decode(data) as Message);
    };
    socket.onclose = ({ code }: CloseEvent) => this.onClose(code);
    this.expect(CONNECT_TIMEOUT_MS);
  }

  private onOpen() {
    this.wasOpen = true;
    this.cancelDeadline();
    this.lastMessage = Date.now();
    this.clock.reset();
    for (const [name, topic] of this.topics) this.sendJoin(name, topic);
    for (const delay of FIRST_PINGS_MS) this.after(delay, () => this.ping());
    this.after(LAST_RETRY_MS, () => (this.failures = 0)); // it lasts
    this.updateState();
  }

  private onClose(code: number) {
    const wasOpen = this.isOpen;
    this.abandon();
    if (!this.isStarted) return;
    if (!wasOpen || code === POLICY) this.options.onRefused?.();
    if (!this.isStarted) return; // signed out
    this.setState(this.wasOpen || this.failures > 1 ? "offline" : "connecting");
    const first = this.options.retryMs ?? FIRST_RETRY_MS;
    const delay = Math.min(LAST_RETRY_MS, first * 2 ** this.failures++);
    this.retryTimer = setTimeout(() => this.connect(), delay * (0.75 + Math.random() / 2));
  }

  /** Close the connection for good, without waiting for a dead peer; what it left open fails. */
  private abandon() {
    this.cancelDeadline();
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    this.pings.clear();
    const socket = this.socket;
    this.socket = undefined;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.onerror = () => undefined; // closing one that opens is an error
      socket.close();
    }
    for (const call of this.calls.values()) {
      clearTimeout(call.timer);
      call.reject(new CallError("lost", "the connection was lost before the answer"));
    }
    this.calls.clear();
    for (const topic of this.topics.values()) {
      topic.isAway = false;
      topic.last.clear();
    }
  }

  private reconnect() {
    if (!this.isStarted) return;
    this.abandon();
    this.setState(this.wasOpen ? "offline" : "connecting");
    this.connect();
  }

  private expect(within_ms: number) {
    if (this.deadline !== undefined) return; // an earlier ping waits still
    this.deadline = setTimeout(() => {
      this.deadline = undefined;
      this.onClose(0);
    }, within_ms);
  }

  private cancelDeadline() {
    clearTimeout(this.deadline);
    this.deadline = undefined;
  }

  private after(delay_ms: number, action: () => void) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      action();
    }, delay_ms);
    this.timers.add(timer);
  }

  private updateState() {
    if (this.socket?.readyState !== 1) return;
    this.setState(this.topics.get("playback")?.isAway ? "away" : "open");
  }

  private setState(state: ChannelState) {
    if (state === this.state_) return;
    this.state_ = state;
    for (const listener of [...this.stateListeners]) listener(state);
  }

  // ------------------------------------------------------------------ topics

  /**
   * Join a topic; return what leaves it. `paths` are those of `playback`; they replace earlier ones.
   * A listener that comes later gets the last `state` at once.
   */
  join(name: string, listener: TopicListener, paths?: readonly string[]): () => void {
    let topic = this.topics.get(name);
    const isNew = !topic;
    if (!topic) {
      topic = { listeners: new Set(), paths, isAway: false, last: new Map() };
      this.topics.set(name, topic);
    }
    topic.listeners.add(listener);
    if (isNew || paths) {
      topic.paths = paths;
      if (this.isOpen) this.sendJoin(name, topic);
    } else {
      for (const event of topic.last.values()) listener(event);
    }
    return () => this.leave(name, listener);
  }

  /** Whether a topic's server is away. */
  isAway(name: string): boolean {
    return this.topics.get(name)?.isAway ?? false;
  }

  private leave(name: string, listener: TopicListener) {
    const topic = this.topics.get(name);
    if (!topic?.listeners.delete(listener) || topic.listeners.size) return;
    this.topics.delete(name);
    if (this.isOpen) this.send({ leave: name });
    this.updateState();
  }

  private sendJoin(name: string, topic: Topic) {
    topic.last.clear();
    this.send(topic.paths ? { join: name, paths: topic.paths } : { join: name });
  }

  // ------------------------------------------------------------------ calls

  /**
   * Call a verb. Fails at once while there is no connection: nothing is sent late. The signal ends one that
   * waits for a person, as `midi.learn` does.
   */
  call<Result = unknown>(
    method: string,
    params: Record<string, unknown> = {},
    timeout_ms = CALL_TIMEOUT_MS,
    signal?: AbortSignal,
  ): Promise<Result> {
    if (!this.isOpen) {
      return Promise.reject(new CallError("offline", "there is no connection to the engine"));
    }
    const id = this.nextId++;
    return new Promise<Result>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.calls.delete(id);
        reject(new CallError("timeout", `${method}: no answer within ${timeout_ms / 1000} s`));
      }, timeout_ms);
      this.calls.set(id, { resolve: resolve as Call["resolve"], reject, timer });
      this.send({ id, method, params });
      signal?.addEventListener("abort", () => this.calls.has(id) && this.send({ cancel: id }), { once: true });
    });
  }

  private send(message: unknown) {
    this.socket?.send(encode(message));
  }

  private ping(answerWithin_ms?: number) {
    if (!this.isOpen) return;
    const id = this.nextId++;
    this.pings.set(id, now_s());
    if (this.pings.size > 20) this.pings.clear();
    this.send({ ping: id });
    if (answerWithin_ms !== undefined) this.expect(answerWithin_ms);
  }

  // ------------------------------------------------------------------ messages

  private onMessage(message: Message) {
    this.cancelDeadline(); // it lives
    this.lastMessage = Date.now();
    if (message.topic !== undefined) this.onTopic(message as TopicEvent);
    else if (message.pong !== undefined) this.onPong(message.pong, message.time_s ?? 0);
    else if (message.id !== undefined) this.onAnswer(message.id, message);
  }

  private onPong(id: number, time_s: number) {
    const sent_s = this.pings.get(id);
    this.pings.delete(id);
    if (sent_s !== undefined) this.clock.addPong(time_s, sent_s, now_s());
  }

  private onAnswer(id: number, { result, error }: Message) {
    const call = this.calls.get(id);
    if (!call) return;
    this.calls.delete(id);
    clearTimeout(call.timer);
    if (error) call.reject(new CallError(error.code, error.message, error.hint));
    else call.resolve(result);
  }

  private onTopic(event: TopicEvent) {
    const topic = this.topics.get(event.topic);
    if (!topic) return; // left meanwhile
    topic.isAway = event.event === "away";
    if (event.event === "away") topic.last.clear();
    if (["state", "names", "away"].includes(event.event)) topic.last.set(event.event, event);
    this.updateState();
    for (const listener of [...topic.listeners]) listener(event);
  }
}
