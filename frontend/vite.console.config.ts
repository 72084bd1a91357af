// Builds the console: one small first load, and a chunk for each page that needs more.
import { readdirSync, readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((one) =>
    one.isDirectory() ? filesUnder(join(folder, one.name)) : [join(folder, one.name)],
  );
}

/** The icons that templates, views and scripts name, as one sprite. */
function icons(): Plugin {
  return {
    name: "icons",
    generateBundle() {
      const sources = [...filesUnder(here("../web/console")), ...filesUnder(here("console"))];
      const texts = sources.filter((one) => /\.(html|py|ts)$/.test(one)).map((one) => readFileSync(one, "utf8"));
      // Any quoted word may be an icon's name; it is one where the set has such a file.
      const words = new Set(texts.flatMap((text) => [...text.matchAll(/["']([a-z][a-z0-9-]{1,40})["']/g)].map((found) => found[1]!)));
      const known = new Set(readdirSync(here("node_modules/lucide-static/icons")));
      const used = [...words].filter((word) => known.has(`${word}.svg`)).sort();
      const symbols = used.map((name) => {
        const svg = readFileSync(here(`node_modules/lucide-static/icons/${name}.svg`), "utf8");
        const inner = svg.replace(/^[^]*?<svg[^>]*>/, "").replace(/<\/svg>\s*$/, "").replace(/\s+/g, " ");
        return `<symbol id="${name}" viewBox="0 0 24 24">${inner.trim()}</symbol>`;
      });
      const source = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`;
      const mark = createHash("sha256").update(source).digest("hex").slice(0, 8);
      this.emitFile({ type: "asset", fileName: `icons-${mark}.svg`, source });
    },
  };
}

export default defineConfig({
  plugins: [icons()],
  base: "/console/assets/",
  build: {
    outDir: "../web/console/static/dist",
    emptyOutDir: true,
    manifest: "manifest.json",
    assetsInlineLimit: 0,
    target: ["chrome111", "firefox113", "safari16.4"],
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    rollupOptions: {
      input: "console/main.ts",
      // htmx holds an eval that its setting `allowEval` and the page's policy keep it from using.
      onwarn: (warning, warn) => (warning.code === "EVAL" ? undefined : warn(warning)),
    },
  },
});
