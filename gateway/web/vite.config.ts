import { copyFileSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const bundle = fileURLToPath(new URL("../wavewrap_dashboard/bundle", import.meta.url));

export default defineConfig({
  build: {
    outDir: bundle,
    emptyOutDir: true,
    // Nothing inline: the page's Content-Security-Policy takes only files of its own server.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    rolldownOptions: { input: ["index.html", "login.html"].map((name) => fileURLToPath(new URL(name, import.meta.url))) },
  },
  plugins: [
    {
      name: "licence-of-uplot",
      closeBundle() {
        mkdirSync(`${bundle}/assets`, { recursive: true });
        copyFileSync(fileURLToPath(new URL("node_modules/uplot/LICENSE", import.meta.url)), `${bundle}/assets/uplot-LICENSE.txt`);
      },
    },
  ],
});
