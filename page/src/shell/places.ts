/** What the menu has, and who sees it. Routes of later parts are not here until they are built. */

import type { IconName } from "../lib/components/icons";
import { pathOf, type PlainName, type Route } from "../lib/router";
import type { Scope } from "../lib/session.svelte";
import { t } from "../lib/strings";

export interface Place {
  name: PlainName;
  icon: IconName;
  label: string;
  href: string;
  scope: Scope;
}

const place = (name: PlainName, icon: IconName, label: string, scope: Scope): Place => ({
  name,
  icon,
  label,
  href: pathOf({ name }),
  scope,
});

export const PLACES: readonly Place[] = [
  place("decks", "decks", t.nav.decks, "read"),
  place("library", "library", t.nav.library, "read"),
  place("mix", "mix", t.nav.mix, "read"),
  place("chat", "chat", t.nav.chat, "propose"),
  place("jobs", "jobs", t.nav.jobs, "read"),
  place("midi", "midi", t.nav.midi, "perform"),
  place("settings", "settings", t.nav.settings, "read"),
  place("admin", "admin", t.nav.admin, "admin"),
];

/** Those that a phone's bar has room for; the others are under "More". */
export const ON_TAB_BAR: readonly PlainName[] = ["decks", "library", "jobs"];

/** Beside the library, where a window has room for it: of its menu alone on a phone. */
export const BESIDE: readonly PlainName[] = ["chat"];

/** Return whether a place is the one that a route is in. */
export function isIn(place: Place, route: Route): boolean {
  return place.name === route.name || (place.name === "library" && route.name === "track");
}
