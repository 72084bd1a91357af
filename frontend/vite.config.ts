// Builds the widget into one file that a page loads with one script line.
import { readdirSync, readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

const source = (file: string) => readFileSync(new URL(`widget/${file}`, import.meta.url), "utf8");
const words = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((found) => found[1]);

/** Names that only the widget's own objects have: a letter does for them in the built file. */
function ownNames(): RegExp {
  // What travels or is stored keeps its name.
  const kept = new Set([
    ...words(source("wire.ts") + source("storage.ts"), /(\w+)\??:/g),
    ...words(source("words.ts"), /"(\w+)"/g),
    ...words(source("host.ts"), /^  (\w+)[(:]/gm),
  ]);
  const all = readdirSync(new URL("widget", import.meta.url)).filter((file) => /tsx?$/.test(file));
  const texts = all.map(source);
  const own = texts.flatMap((text) => [
    ...words(text, /private (?:async |readonly )*(\w+)/g),
    // What travels has no capital within: a method or a part that has one is ours.
    ...words(text, /^  (?:async )?([a-z]+[A-Z]\w*)(?:\(|: )/gm),
    ...words(text, /\b(is[A-Z]\w+)\??: boolean/g),
    ...["State", "Panel", "Surroundings", "Wires", "Offer", "VNode"].flatMap((name) => {
      const shape = new RegExp(`interface ${name} \\{[^]*?\\n\\}`).exec(text)?.[0] ?? "";
      return words(shape, /^  (?:readonly )?(\w+)\??[:(]/gm);
    }),
  ]);
  return new RegExp(`^(?:${[...new Set(own)].filter((name) => name && !kept.has(name)).join("|")})$`);
}

export default defineConfig({
  build: {
    outDir: "../web/widget/static/dist",
    emptyOutDir: true,
    // Browsers since the spring of 2023; an older one still has the plain pages of the chat.
    target: ["chrome111", "firefox113", "safari16.4"],
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    minify: "terser",
    terserOptions: {
      ecma: 2020,
      compress: { passes: 3, pure_getters: true },
      mangle: { properties: { regex: ownNames() } },
    },
    lib: {
      entry: "widget/main.ts",
      name: "LeadlineWidget",
      formats: ["iife"],
      fileName: () => "widget.js",
    },
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
