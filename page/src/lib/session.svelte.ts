/** Who is signed in on this browser, and what they may do. */

import { api, whenSignedOut } from "./api/client";
import { Problem } from "./api/problem";
import { channel } from "./connection.svelte";
import { router } from "./router.svelte";

export type Scope = "read" | "propose" | "prepare" | "perform" | "library" | "admin";

export interface User {
  name: string;
  role: string;
  scopes: Scope[];
}

/** `unknown` until the server has answered; `no_user`: there is no first user yet. */
export type SessionState = "unknown" | "in" | "out" | "no_user" | "unreachable";

class Session {
  state = $state<SessionState>("unknown");
  user = $state.raw<User | null>(null);
  /** Whether the session ended while the page was open. */
  ended = $state(false);

  async begin() {
    whenSignedOut(() => this.lost());
    await this.refresh();
  }

  /** Ask the server who is signed in. */
  async refresh() {
    try {
      this.user = await api.get<User>("/api/auth/me");
      this.enter();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.code === "no_user") this.leave("no_user");
      else if (error.status === 401) this.leave("out");
      else if (this.state !== "in") this.state = "unreachable";
    }
  }

  may(scope: Scope): boolean {
    return this.user?.scopes.includes(scope) ?? false;
  }

  async signIn(name: string, password: string) {
    await api.post("/api/auth/login", { name, password });
    await this.refresh();
  }

  /** Return for whom a one-time link is; null for the first user. */
  async linkName(secret: string): Promise<string | null> {
    return (await api.post<{ name: string | null }>("/api/auth/link", { secret })).name;
  }

  async useLink(secret: string, password: string, name: string | null) {
    await api.post("/api/auth/use_link", { secret, password, ...(name !== null && { name }) });
    await this.refresh();
  }

  async changePassword(old: string, fresh: string) {
    await api.post("/api/auth/password", { old, new: fresh });
  }

  async signOut() {
    await api.post("/api/auth/logout");
    this.leave("out");
    router.go({ name: "login" });
  }

  /** A request or the channel found the session ended. */
  lost() {
    if (this.state !== "in") return;
    this.ended = true;
    this.leave("out");
  }

  private enter() {
    this.ended = false;
    this.state = "in";
    channel.start();
  }

  private leave(state: SessionState) {
    this.user = null;
    this.state = state;
    channel.stop();
  }
}

export const session = new Session();
