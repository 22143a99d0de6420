/** Strings of the waveforms. */

export const wave = {
  empty: (deck: number) => `Deck ${deck}, waveform: no track`,
  label: (deck: number, title: string, stems: readonly string[], bars: number) =>
    `Deck ${deck}, waveform${title ? ` of ${title.slice(0, 200)}` : ""}: ${stems.join(", ").toLowerCase()}; ${bars} bars are seen`,
  silent: (stem: string) => `${stem} silent`,
  mute: "Mute",
  out: "Off",
  none: "None",
  from: (source: string) => source.replace(/deck(\d)/, "Deck $1"),
  loop: (beats: string) => `Loop ${beats}`,
  beats: (text: string, beats: number) => (beats > 1 ? `${text} beats` : `${text} beat`),
  loading: (stem: string) => `${stem} is loading`,
  notAnalysed: "No waveform yet: this track was not analysed.",
  notInLibrary: "No waveform: this track is not in the library.",
  overview: (deck: number) => `Deck ${deck}, whole track; tap to go there`,
  place: (now: string, whole: string) => `${now} of ${whole}`,
  phase: {
    inTime: (deck: number) => `Deck ${deck} is in time`,
    late: (deck: number, beats: string) => `Deck ${deck} is ${beats} beats late`,
    early: (deck: number, beats: string) => `Deck ${deck} is ${beats} beats early`,
    none: "No deck follows another",
  },
};
