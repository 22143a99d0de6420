/** The icons: paths in a box of 24, drawn with a stroke. Stems have the names of the desk. */

export const ICONS = {
  // stems
  vocals: ["M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3z", "M5 11a7 7 0 0 0 14 0M12 18v3"],
  drums: ["M3.5 9c0-2.2 3.8-4 8.5-4s8.5 1.8 8.5 4-3.8 4-8.5 4-8.5-1.8-8.5-4z", "M3.5 9v7c0 2.2 3.8 4 8.5 4s8.5-1.8 8.5-4V9M8 2l3 4M17 2l-4 5"],
  bass: ["M2 12c2.5-9 5-9 7.5 0s5 9 7.5 0c1.2-4.5 2.5-6 5-6"],
  other: ["M12 3l9 9-9 9-9-9z"],
  guitar: ["M12 21C6 15 4 10 4.5 6.5 5 4 8 3 12 3s7 1 7.5 3.5C20 10 18 15 12 21z"],
  piano: ["M4.5 5h15a1.5 1.5 0 0 1 1.5 1.5v11a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 17.5v-11A1.5 1.5 0 0 1 4.5 5z", "M9 5v8M15 5v8M9 13v6M15 13v6"],
  mix: ["M4 7h16M4 12h16M4 17h16"],
  // places
  decks: ["M3.5 12a8.5 8.5 0 1 0 17 0 8.5 8.5 0 1 0-17 0", "M9.5 12a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0"],
  library: ["M4 5v14M9 5v14M13.5 5.5l5 13.5"],
  jobs: ["M4 6h10M4 12h7M4 18h10M17 9l3 3-3 3"],
  chat: ["M5 5h14a1.5 1.5 0 0 1 1.5 1.5v8a1.5 1.5 0 0 1-1.5 1.5h-8l-4.5 4v-4H5a1.5 1.5 0 0 1-1.5-1.5v-8A1.5 1.5 0 0 1 5 5z", "M8 9h8M8 12h5"],
  midi: ["M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0", "M7 12v.01M8.5 8.5v.01M12 7v.01M15.5 8.5v.01M17 12v.01"],
  settings: ["M9 12a3 3 0 1 0 6 0 3 3 0 1 0-6 0", "M12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.2 2.2M16.2 16.2l2.2 2.2M18.4 5.6l-2.2 2.2M7.8 16.2l-2.2 2.2"],
  admin: ["M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6z", "M8.5 12l2.5 2.5 4.5-5"],
  // transport
  play: ["M8 5v14l11-7z"],
  pause: ["M8 5v14M16 5v14"],
  cue: ["M4 12a8 8 0 1 0 16 0 8 8 0 1 0-16 0", "M12 11.5v1"],
  loop: ["M7 7h10a4 4 0 0 1 0 9H7M10 13l-3 3 3 3"],
  sync: ["M4 9h13l-3-4M20 15H7l3 4"],
  record: ["M6 12a6 6 0 1 0 12 0 6 6 0 1 0-12 0"],
  headphones: ["M4 15v-3a8 8 0 0 1 16 0v3", "M4.5 14h1A1.5 1.5 0 0 1 7 15.5v3A1.5 1.5 0 0 1 5.5 20h-1A1.5 1.5 0 0 1 3 18.5v-3A1.5 1.5 0 0 1 4.5 14zM18.5 14h1a1.5 1.5 0 0 1 1.5 1.5v3a1.5 1.5 0 0 1-1.5 1.5h-1a1.5 1.5 0 0 1-1.5-1.5v-3a1.5 1.5 0 0 1 1.5-1.5z"],
  effects: ["M4 18c4 0 4-12 8-12s4 12 8 12"],
  pads: ["M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h6v6h-6z"],
  performance: ["M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5"],
  // states
  check: ["M4.5 12.5l5 5 10-11"],
  warning: ["M12 4l9.5 16h-19zM12 10v4M12 17v.01"],
  error: ["M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0", "M9 9l6 6M15 9l-6 6"],
  offline: ["M3 3l18 18M5 12a10 10 0 0 1 4-2.4M19 12a10 10 0 0 0-5-2.7M8.5 15.5a5 5 0 0 1 7 0M12 19v.01"],
  lock: ["M6.5 11h11A1.5 1.5 0 0 1 19 12.5v6a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 5 18.5v-6A1.5 1.5 0 0 1 6.5 11z", "M8 11V8a4 4 0 0 1 8 0v3"],
  clock: ["M3.5 12a8.5 8.5 0 1 0 17 0 8.5 8.5 0 1 0-17 0", "M12 7v5l3.5 2"],
  info: ["M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0", "M12 11v6M12 7.5v.01"],
  // actions
  bell: ["M6 16v-5a6 6 0 0 1 12 0v5l1.5 2h-15zM10 21h4"],
  search: ["M4.5 11a6.5 6.5 0 1 0 13 0 6.5 6.5 0 1 0-13 0", "M16 16l5 5"],
  plus: ["M12 5v14M5 12h14"],
  minus: ["M5 12h14"],
  close: ["M6 6l12 12M18 6L6 18"],
  retry: ["M19 8a8 8 0 1 0 1 6M20 4v5h-5"],
  download: ["M12 4v12M7 11l5 5 5-5M5 20h14"],
  upload: ["M12 20V8M7 12l5-5 5 5M5 4h14"],
  left: ["M14 6l-6 6 6 6"],
  right: ["M10 6l6 6-6 6"],
  down: ["M6 10l6 6 6-6"],
  up: ["M6 14l6-6 6 6"],
  more: ["M5 12v.01M12 12v.01M19 12v.01"],
  trash: ["M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13"],
  edit: ["M4 20l1-4L16 5l3 3L8 19z"],
  link: ["M10 14l4-4M8 12l-2 2a3.5 3.5 0 0 0 5 5l2-2M16 12l2-2a3.5 3.5 0 0 0-5-5l-2 2"],
  user: ["M8 8a4 4 0 1 0 8 0 4 4 0 1 0-8 0", "M4 21c1-5 4-7 8-7s7 2 8 7"],
  drag: ["M9 6v.01M15 6v.01M9 12v.01M15 12v.01M9 18v.01M15 18v.01"],
  folder: ["M3 7h6l2 2h10v10H3z"],
  tablet: ["M6 3h12a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2z", "M11 18h2"],
  star: ["M12 4l2.5 5.2 5.5.7-4 4 1 5.6-5-2.7-5 2.7 1-5.6-4-4 5.5-.7z"],
  table: ["M4 5h16v14H4zM4 10h16M4 15h16M10 5v14"],
  eye: ["M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z", "M9.5 12a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0"],
  theme: ["M4 12a8 8 0 1 0 16 0 8 8 0 1 0-16 0", "M12 4a8 8 0 0 1 0 16z"],
  exit: ["M10 4H5v16h5M10 12h10M16 8l4 4-4 4"],
} as const satisfies Record<string, readonly string[]>;

export type IconName = keyof typeof ICONS;
const DOTS: readonly string[] = ["midi", "more", "drag"];
const FILLED: readonly string[] = ["play", "record", "theme"];

/** Return whether an icon is of points, whose stroke is thick. */
export const isDotted = (name: IconName) => DOTS.includes(name);
/** Return whether an icon is filled. */
export const isFilled = (name: IconName) => FILLED.includes(name);
