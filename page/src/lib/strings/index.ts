/** The catalogue in use. One language for now; another is another object of the same type. */

import { en } from "./en";

export type Strings = typeof en;
export const t: Strings = en;
