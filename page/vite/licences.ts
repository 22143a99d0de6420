import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { Plugin } from "vite";

interface Package {
  name: string;
  version: string;
  license: string;
  dependencies?: Record<string, string>;
}

/** Write `licenses.txt`: the licences of everything that the page contains. */
export function licences(): Plugin {
  return {
    name: "sfa-licences",
    apply: "build",
    generateBundle() {
      const modules = join(import.meta.dirname, "..", "node_modules");
      const ours = read(join(import.meta.dirname, ".."));
      const texts = [...names(modules, ["svelte", ...Object.keys(ours.dependencies ?? {})])]
        .sort()
        .map((name) => text(join(modules, name)));
      this.emitFile({ type: "asset", fileName: "licenses.txt", source: texts.join("\n\n") });
    },
  };
}

/** Return some packages and all that they depend on; of Svelte its run time alone is bundled. */
function names(modules: string, wanted: string[], found = new Set<string>()): Set<string> {
  for (const name of wanted) {
    if (found.has(name)) continue;
    found.add(name);
    if (name === "svelte") continue;
    names(modules, Object.keys(read(join(modules, name)).dependencies ?? {}), found);
  }
  return found;
}

function read(folder: string): Package {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Package;
}

function text(folder: string): string {
  const { name, version, license } = read(folder);
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  const path = file && join(folder, file);
  const body = path && existsSync(path) ? readFileSync(path, "utf8").trim() : "";
  return `${name} ${version} (${license})\n\n${body}`;
}
