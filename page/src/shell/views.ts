/** The views, each loaded when it is first shown. */

import type { Component } from "svelte";
import type { Route, RouteName } from "../lib/router";

export interface ViewProps {
  route: Route;
}

type Loader = () => Promise<{ default: Component<ViewProps> | Component }>;
const later: Loader = () => import("../views/Later.svelte");

export const VIEWS: Record<RouteName, Loader> = {
  decks: () => import("../views/Decks.svelte"),
  performance: () => import("../views/Performance.svelte"),
  library: () => import("../views/library/Library.svelte"),
  track: () => import("../views/library/Library.svelte"),
  jobs: () => import("../views/Jobs.svelte"),
  midi: () => import("../views/Midi.svelte"),
  settings: () => import("../views/Settings.svelte"),
  admin: () => import("../views/Admin.svelte"),
  login: () => import("../views/Login.svelte"),
  welcome: () => import("../views/Welcome.svelte"),
  arrange: later,
  practice: later,
  mix: () => import("../views/Mix.svelte"),
  master: later,
  chat: () => import("../views/Chat.svelte"),
  missing: () => import("../views/Missing.svelte"),
};
