import { decode, encode } from "@msgpack/msgpack";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WebSocket as Peer, WebSocketServer } from "ws";

import { CallError, Channel, SUBPROTOCOL, type ChannelOptions, type ChannelState, type TopicEvent } from "./channel";

type Message = Record<string, unknown>;

let server: WebSocketServer;
let port = 0;
let peers: Peer[] = [];
let got: Message[] = [];
let isMute = false;
let channel: Channel;
const states: ChannelState[] = [];

/** A channel by sockets of the network, whatever Node has of its own. */
function channelTo(options: Partial<ChannelOptions> = {}): Channel {
  const url = `ws://127.0.0.1:${port}/api/channel`;
  return new Channel({ url, retryMs: 20, silenceMs: 100, WebSocket: Peer as unknown as typeof WebSocket, ...options });
}

function listen(at = 0): Promise<void> {
  server = new WebSocketServer({ port: at, host: "127.0.0.1" });
  server.on("connection", (peer) => {
    peers.push(peer);
    peer.on("message", (data: Buffer) => {
      const message = decode(data) as Message;
      got.push(message);
      if (isMute) return;
      if ("ping" in message) send(peer, { pong: message["ping"], time_s: 1000 });
      if (message["method"] === "echo") send(peer, { id: message["id"], result: message["params"] });
      if (message["method"] === "fail") {
        send(peer, { id: message["id"], error: { code: "locked", message: "locked", hint: "wait" } });
      }
    });
  });
  return new Promise((resolve) => {
    server.on("listening", () => {
      port = (server.address() as AddressInfo).port;
      resolve();
    });
  });
}

function send(peer: Peer, message: Message) {
  peer.send(encode(message));
}

function endServer(): Promise<void> {
  for (const peer of peers) peer.terminate();
  return new Promise((resolve) => server.close(() => resolve()));
}

const until = (check: () => void) => vi.waitFor(check, { timeout: 3000, interval: 5 });
const isOpen = () => until(() => expect(channel.state).toBe("open"));
const joins = () => got.filter((message) => "join" in message);

beforeEach(async () => {
  peers = [];
  got = [];
  states.length = 0;
  isMute = false;
  await listen();
  channel = channelTo();
  channel.onState((state) => states.push(state));
});

afterEach(async () => {
  channel.stop();
  await endServer();
});

test("it speaks msgpack, and answers are matched by id", async () => {
  channel.start();
  await isOpen();
  expect(peers[0]?.protocol).toBe(SUBPROTOCOL);
  const [one, two] = await Promise.all([channel.call("echo", { n: 1 }), channel.call("echo", { n: 2 })]);
  expect([one, two]).toEqual([{ n: 1 }, { n: 2 }]);
});

test("an error of the server has its code and hint", async () => {
  channel.start();
  await isOpen();
  await expect(channel.call("fail")).rejects.toMatchObject({ code: "locked", hint: "wait" });
});

test("without a connection a call is refused, and not sent later", async () => {
  await expect(channel.call("echo")).rejects.toMatchObject({ code: "offline" });
  channel.start();
  await isOpen();
  await channel.call("echo");
  expect(got.filter((message) => message["method"] === "echo")).toHaveLength(1);
});

test("a call that is not answered in time fails", async () => {
  channel.start();
  await isOpen();
  await expect(channel.call("never", {}, 30)).rejects.toMatchObject({ code: "timeout" });
});

test("a lost connection fails its calls, comes back by itself and joins its topics again", async () => {
  const events: TopicEvent[] = [];
  channel.join("jobs", (event) => events.push(event));
  channel.join("playback", () => undefined, ["deck1.play"]);
  channel.start();
  await isOpen();
  await until(() => expect(joins()).toHaveLength(2));
  const call = channel.call("never");
  const failure = expect(call).rejects.toMatchObject({ code: "lost" });
  await endServer();
  await failure;
  await until(() => expect(channel.state).toBe("offline"));
  peers = [];
  got = [];
  await listen(port);
  await isOpen();
  await until(() => expect(joins()).toEqual([{ join: "jobs" }, { join: "playback", paths: ["deck1.play"] }]));
  expect(peers).toHaveLength(1);
  expect(states).toEqual(["open", "offline", "open"]);
});

test("messages of a topic reach its listeners, later ones get the last state", async () => {
  const first: TopicEvent[] = [];
  const second: TopicEvent[] = [];
  channel.join("jobs", (event) => first.push(event));
  channel.start();
  await isOpen();
  const [peer] = peers;
  if (!peer) throw new Error("no peer");
  send(peer, { topic: "jobs", event: "state", data: { waiting: 3 } });
  await until(() => expect(first).toHaveLength(1));
  const leave = channel.join("jobs", (event) => second.push(event));
  expect(second).toEqual(first);
  expect(joins()).toHaveLength(1);
  leave();
  send(peer, { topic: "jobs", event: "job:progress", data: {} });
  await until(() => expect(first).toHaveLength(2));
  expect(second).toHaveLength(1);
});

test("a topic without listeners is left", async () => {
  const leave = channel.join("jobs", () => undefined);
  channel.start();
  await isOpen();
  leave();
  await until(() => expect(got).toContainEqual({ leave: "jobs" }));
});

test("without an engine it is away, until the engine is back", async () => {
  channel.join("playback", () => undefined, ["deck1.play"]);
  channel.start();
  await isOpen();
  const [peer] = peers;
  if (!peer) throw new Error("no peer");
  send(peer, { topic: "playback", event: "away", data: null });
  await until(() => expect(channel.state).toBe("away"));
  expect(channel.isAway("playback")).toBe(true);
  await expect(channel.call("echo")).resolves.toEqual({}); // backstage may be there
  send(peer, { topic: "playback", event: "names", data: ["deck1.play"] });
  await until(() => expect(channel.state).toBe("open"));
});

test("a connection that says nothing after a wake is replaced by one other", async () => {
  channel.start();
  await isOpen();
  await until(() => expect(got.filter((message) => "ping" in message)).toHaveLength(5));
  isMute = true;
  channel.wake();
  await until(() => expect(channel.state).toBe("offline"));
  isMute = false;
  await until(() => expect(peers).toHaveLength(2));
  await isOpen();
  expect(server.clients.size).toBe(1);
});

test("after a long sleep the connection is replaced at once", async () => {
  channel.start();
  await isOpen();
  const now = Date.now();
  const clock = vi.spyOn(Date, "now").mockReturnValue(now + 300_000);
  channel.wake();
  clock.mockRestore();
  expect(channel.state).toBe("offline");
  await isOpen();
  await until(() => expect(server.clients.size).toBe(1));
  expect(peers).toHaveLength(2);
});

test("several wakes at once open one connection", async () => {
  channel.start();
  channel.wake();
  channel.wake();
  await isOpen();
  channel.wake();
  channel.wake();
  await channel.call("echo");
  expect(peers).toHaveLength(1);
});

test("who ends the session is asked about it, and it stays closed if the answer is no", async () => {
  const refused = vi.fn(() => channel.stop());
  channel.stop();
  channel = channelTo({ onRefused: refused, retryMs: 10 });
  channel.start();
  await isOpen();
  peers[0]?.close(1008, "not signed in any more");
  await until(() => expect(refused).toHaveBeenCalledOnce());
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(peers).toHaveLength(1);
});

test("pongs set the clock", async () => {
  channel.start();
  await isOpen();
  await until(() => expect(channel.clock.offset_s).toBeDefined());
  expect(channel.clock.serverTime(performance.now() / 1000)).toBeCloseTo(1000, 0);
});

test("errors are exceptions of one kind", () => {
  expect(new CallError("busy", "busy", "later")).toBeInstanceOf(Error);
});
