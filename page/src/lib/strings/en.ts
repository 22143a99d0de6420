/** All strings of the page, in English. A text with a value is a function; nothing else says words. */

import { library } from "./library";

const number = new Intl.NumberFormat("en");
const plural = (count: number, one: string, many: string) =>
  `${number.format(count)} ${count === 1 ? one : many}`;

export const en = {
  library,

  product: "Sound Forge Alchemy",
  loading: "Loading …",
  retry: "Retry",
  cancel: "Cancel",
  close: "Close",
  back: "Back",
  clear: "Clear",
  save: "Save",
  more: "More",
  show: "Show",
  hide: "Hide",
  reload: "Reload",
  deck: (deck: number) => `Deck ${deck}`,
  count: (count: number) => number.format(count),
  tracks: (count: number) => plural(count, "track", "tracks"),
  jobs: (count: number) => plural(count, "job", "jobs"),
  percent: (value: number) => `${Math.round(value)} %`,

  nav: {
    label: "Main",
    decks: "Decks",
    library: "Library",
    track: "Track",
    jobs: "Jobs",
    midi: "MIDI & OSC",
    settings: "Settings",
    admin: "Admin",
    performance: "Performance",
    login: "Sign in",
    welcome: "Welcome",
    arrange: "Arrangement",
    practice: "Practice",
    mix: "Mix",
    master: "Mastering",
    chat: "Agents",
    missing: "Page not found",
    skip: "Skip to the content",
    more: "More",
  },

  stems: {
    vocals: "Vocals",
    drums: "Drums",
    bass: "Bass",
    other: "Other",
    guitar: "Guitar",
    piano: "Piano",
    mix: "Mix",
  } as Record<string, string>,

  health: {
    label: "Engine",
    ok: "Engine ok",
    degraded: "Engine degraded",
    failing: "Engine failing",
    other: (word: string) => `Engine ${word}`,
    connecting: "Connecting",
    away: "Engine away",
    offline: "Offline",
    load: (latency: string, load: string) => `${latency} · ${load}`,
    reasons: "What the engine reports",
    fine: "Nothing to report.",
    detail: (late: number, missed: number) =>
      `${plural(late, "late block", "late blocks")}, ${number.format(missed)} missed by the device since the start.`,
  },

  connection: {
    connecting: "Connecting to the engine.",
    offline: "Reconnecting.",
    offlineDetail: (time: string) => `What you see is from ${time}. Controls are off; nothing is sent late.`,
    away: "The engine does not answer.",
    awayDetail: "Controls are off until it does; nothing is sent late.",
    retry: "Retry now",
    refused: "There is no connection: nothing was changed.",
    newVersion: "A new version of this page is there.",
    newVersionDetail: "The music plays on.",
    failedView: "This part of the page could not be loaded.",
    failedViewHint: "Check the connection, then reload the page. The music plays on.",
  },

  theme: {
    label: "Theme",
    system: "As the device",
    dark: "Dark",
    light: "Light",
  },

  account: {
    menu: (name: string) => `Account of ${name}`,
    signOut: "Sign out",
    changePassword: "Change password",
    roles: {
      user: "User",
      moderator: "Moderator",
      admin: "Admin",
      super_admin: "Super admin",
    } as Record<string, string>,
    old: "Present password",
    new: "New password",
    changed: "The password is changed. Other browsers were signed out.",
    changeNote: "Other browsers are signed out by it.",
  },

  login: {
    title: "Sign in",
    lead: "With the account that you have on this machine.",
    name: "Name",
    password: "Password",
    submit: "Sign in",
    noAccount: "No account yet? On the machine, `sfa web` prints a link for the first one; later ones are invited.",
    noUser: "There is no account yet.",
    noUserHint: "Run `sfa web` on the machine, and open the link that it prints.",
    ended: "Your session ended. Sign in again.",
  },

  welcome: {
    first: "Create the first account",
    firstLead: "It can invite others and change settings.",
    invited: (name: string) => `Welcome, ${name}`,
    invitedLead: "Choose a password for your account.",
    create: "Create account",
    set: "Set password",
    rule: "At least 8 characters; length matters most.",
    length: (count: number) => `${plural(count, "character", "characters")}. At least 8; length matters most.`,
    incomplete: "This link is not complete.",
    incompleteHint: "Open it again as it was printed, or make another with `sfa web`.",
    haveOne: "Already have an account?",
    insecure: "This network is not encrypted.",
    insecureDetail: "Others on it could read what you type.",
  },

  notifications: {
    title: "Notifications",
    label: (count: number) => (count ? `Notifications, ${number.format(count)} unread` : "Notifications"),
    empty: "Nothing yet",
    emptyDetail: "What is ready and what failed appears here.",
    readAll: "Mark all as read",
    unread: "unread",
  },

  upload: {
    empty: "the file is empty",
    aborted: "the upload was cancelled",
    network: "the connection failed",
  },

  error: {
    title: "That did not work",
    network: "There is no connection to the machine.",
    networkHint: "Check the network; the page tries again by itself.",
    unknown: (status: number) => `the server answered ${status}`,
    withHint: (message: string, hint: string) => (hint ? `${message}: ${hint}` : message),
  },

  control: {
    missing: (path: string) => `No control ${path}`,
    planned: "Planned: this engine does not have it yet.",
    fader: "Fader",
    atRest: "at rest",
    on: "On",
    off: "Off",
    moving: "moved elsewhere",
  },

  meter: { peak: (text: string) => `peak ${text}` },

  lock: {
    locked: "Locked",
    why: "A deck plays: the session lock refuses what could ruin the set.",
  },

  list: {
    empty: "Nothing here",
    row: (index: number, count: number) => `${number.format(index)} of ${number.format(count)}`,
  },

  views: {
    decksEmpty: (deck: number) => `No track on deck ${deck}`,
    decksEmptyHint: "Load one from the library.",
    toLibrary: "To the library",
    libraryEmpty: "No tracks yet",
    libraryEmptyHint: "Add music by a link, a file or a folder.",
    jobsIdle: "No jobs wait or run.",
    jobCounts: (state: string, count: number) => `${state}: ${number.format(count)}`,
    midiNone: "No controllers are plugged in.",
    later: "This part is not there yet.",
    missing: "There is no such page.",
    adminOnly: "This page is for admins.",
    master: "Master",
    leave: "Hold to leave",
    version: (version: string) => `Version ${version}`,
  },
};
