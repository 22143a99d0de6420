import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";

import type { Plugin } from "vite";

/** The list of what was built. The server reads it, and serves nothing else. */
export const LIST = "page.json";

const COMPRESSED = new Set([".css", ".html", ".js", ".json", ".svg", ".txt", ".webmanifest"]);
const MIN_SAVED = 0.1; // of the size; less is not worth a second copy

export interface Listing {
  /** Differs when any file of the page does. */
  build: string;
  files: Record<string, { sha256: string; gzip: boolean }>;
}

/** Compress the files of a build, and list them in `page.json`. */
export function listing(): Plugin {
  let folder = "";
  return {
    name: "sfa-listing",
    apply: "build",
    configResolved(config) {
      folder = config.build.outDir.startsWith("/")
        ? config.build.outDir
        : join(config.root, config.build.outDir);
    },
    transformIndexHtml: {
      order: "post",
      // `<meta name="build">` tells a page that is open which build it is of.
      handler: (html, { bundle }) =>
        html.replace("</title>", `</title>\n    <meta name="build" content="${named(bundle)}" />`),
    },
    closeBundle() {
      const files: Listing["files"] = {};
      for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
        const path = join(folder, name);
        if (extname(name) === "" || name.endsWith(".gz")) continue;
        const bytes = readFileSync(path);
        const compressed = needsCompression(name) ? gzipSync(bytes, { level: 9 }) : bytes;
        const gzip = compressed.length < bytes.length * (1 - MIN_SAVED);
        if (gzip) writeFileSync(`${path}.gz`, compressed);
        files[name] = { sha256: createHash("sha256").update(bytes).digest("hex"), gzip };
      }
      const index = readFileSync(join(folder, "index.html"), "utf8");
      const build = /<meta name="build" content="(\w+)"/.exec(index)?.[1];
      if (build === undefined) throw new Error("index.html does not name its build");
      const list: Listing = { build, files };
      writeFileSync(join(folder, LIST), JSON.stringify(list, null, 1) + "\n");
    },
  };
}

/** Whether a file is of a kind that gzip makes smaller. */
export function needsCompression(name: string): boolean {
  return COMPRESSED.has(extname(name));
}

/** Name a build by its files: their names contain digests of what is in them. */
function named(bundle: Record<string, unknown> | undefined): string {
  const names = Object.keys(bundle ?? {})
    .filter((name) => name.startsWith("assets/"))
    .sort();
  return createHash("sha256").update(names.join("\n")).digest("hex").slice(0, 12);
}
