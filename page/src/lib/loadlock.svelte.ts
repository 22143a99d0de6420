/** Whether `session.lock` refuses to load a deck: it plays, and with `auto` it is audible too. */

import { desk } from "./desk.svelte";
import { isOpen, type Mix } from "./onair";

/** The paths by which it is known. */
export function loadLockPaths(deck: number): string[] {
  const own = ["play", "fader", "assign"].map((name) => `deck${deck}.${name}`);
  return [...own, "session.lock", "crossfader", "crossfader_reverse", "crossfader_curve", "master.volume"];
}

/** Return a deck's faders as `onair` takes them. */
export function mixOf(deck: number): Mix {
  const fader = desk.control(`deck${deck}.fader`);
  return {
    deck,
    fader_db: fader.number,
    faderOff_db: fader.info?.low ?? -60,
    crossfader: desk.control("crossfader").number,
    isReverse: desk.control("crossfader_reverse").isOn,
    assign: desk.control(`deck${deck}.assign`).text,
    curve: desk.control("crossfader_curve").text,
  };
}

/** Return whether a load on a deck is refused now. */
export function isLoadLocked(deck: number): boolean {
  const lock = desk.control("session.lock").text;
  if (lock === "off" || !desk.control(`deck${deck}.play`).isOn) return false;
  if (lock === "on") return true;
  const master = desk.control("master.volume");
  return isOpen(mixOf(deck)) && master.number > (master.info?.low ?? -60);
}
