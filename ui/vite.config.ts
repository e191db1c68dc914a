import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `AICOCKPIT_HOST` names a running host (`http://127.0.0.1:PORT`) for `npm run dev`.
const host = process.env.AICOCKPIT_HOST ?? "http://127.0.0.1:4780";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  worker: { format: "es" },
  build: {
    target: ["chrome120", "safari17", "firefox128"],
    // The content security policy forbids data: scripts, and fonts are cached better as files.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Monaco is one large chunk that loads only when a file is opened.
    chunkSizeWarningLimit: 4500,
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/api": { target: host, ws: true, changeOrigin: true, headers: { origin: host } } },
  },
  test: { include: ["src/**/*.test.ts", "src/**/*.test.tsx"], environment: "node" },
});
