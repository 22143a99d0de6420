import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

import { licences } from "./vite/licences.ts";
import { listing } from "./vite/listing.ts";

/** The web process that `npm run dev` stands before. */
const SERVER = process.env["SFA_WEB"] ?? "http://127.0.0.1:8952";

export default defineConfig({
  base: "/",
  plugins: [svelte(), licences(), listing()],
  build: {
    outDir: "../sfa_engine/web/page",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the policy of the server allows no fonts and scripts in data: addresses
    modulePreload: { polyfill: false }, // it would be an inline script
    reportCompressedSize: false,
  },
  server: {
    host: "127.0.0.1",
    proxy: Object.fromEntries(
      ["/api", "/health", "/files", "/export", "/auth", "/static"].map((path) => [
        path,
        { target: SERVER, ws: true },
      ]),
    ),
  },
});
