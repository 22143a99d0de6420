/** Providers of language models, as the verbs `llm.*` give them. Pure. */

export interface Provider {
  name: string;
  adapter: string;
  /** Empty where only admins may see it. */
  url: string;
  model: string;
  is_system: boolean;
  has_key: boolean;
  state: string;
  until_s: number | null;
  checked_s: number | null;
  why: string;
}

export interface ListedModel {
  name: string;
  /** Null where the provider's list is not known. */
  listed: boolean | null;
  context: number | null;
  tools: boolean | null;
  json: boolean | null;
  /** Dollars for a million tokens; null is unknown. */
  input_usd: number | null;
  output_usd: number | null;
  quality: number | null;
  speed: number | null;
}

export interface Used {
  day: string;
  provider: string;
  model: string;
  attempts: number;
  failed: number;
  input_tokens: number | null;
  output_tokens: number | null;
  cost_usd: number | null;
  unpriced: number;
}

export interface Usage {
  usage: Used[];
  /** What an account may spend on a day; 0 is no limit. */
  usd_per_day: number;
}

/** In the order of `docs/agents.md`; whether the usual address is known. */
export const ADAPTERS = {
  anthropic: true,
  openai: true,
  azure_openai: false,
  google_gemini: true,
  ollama: true,
  lm_studio: true,
  litellm: false,
  custom_openai: false,
} as const;
export type Adapter = keyof typeof ADAPTERS;

/** What a provider may be called. */
const NAME = /^(?!system)[a-z0-9][a-z0-9-]{0,31}$/;
export const isNameOk = (name: string) => NAME.test(name);

/** Return the name that a provider has if none is given: that of its adapter. */
export const usualName = (adapter: string) => adapter.replaceAll("_", "-");

/** Return what was spent on a day, as far as prices are known. */
export function spentOn(day: string, usage: readonly Used[]): number {
  return usage.filter((each) => each.day === day).reduce((sum, each) => sum + (each.cost_usd ?? 0), 0);
}

/** Return a day as the usage names it, in the zone of this device. */
export function dayOf(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export const toneOf = (state: string): "ok" | "warn" | "bad" | "plain" =>
  state === "ready" ? "ok" : state === "unknown" ? "plain" : state === "out of quota" ? "warn" : "bad";
