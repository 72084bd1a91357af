// Parses and draws Adaptive Cards with Microsoft's own renderer, for test_teams.py.
//
// Arguments: the folder of the front end. Standard input: a JSON list of cards. Standard output:
// for each card its events (a card without a fault has none), its text and its links.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const require = createRequire(join(resolve(process.argv[2]), "package.json"));
const { JSDOM } = require("jsdom");
const { window } = new JSDOM("", { url: "https://teams.example/" });
for (const name of Object.getOwnPropertyNames(window)) {
  if (!(name in globalThis)) globalThis[name] = window[name];
}
// jsdom draws nothing, hence knows no innerText, by which the renderer writes what is no Markdown.
Object.defineProperty(window.HTMLElement.prototype, "innerText", {
  get() {
    return this.textContent;
  },
  set(text) {
    this.textContent = text;
  },
});
// Its entry for modules does not load in Node; this one does.
const { AdaptiveCard, SerializationContext } = require("adaptivecards/dist/adaptivecards.js");

// As hostile as a client can be: every Markdown link becomes one.
AdaptiveCard.onProcessMarkdown = (text, result) => {
  result.outputHtml = text
    .replace(/\[([^\]]*)\]\(([^)]*)\)/g, '<a href="$2">$1</a>')
    .replace(/\*\*([^*]+)\*\*/g, "<b>$1</b>");
  result.didProcess = true;
};

function read(source) {
  const context = new SerializationContext();
  const card = new AdaptiveCard();
  card.parse(source, context);
  const events = [];
  for (let at = 0; at < context.eventCount; at += 1) events.push(context.getEventAt(at).message);
  events.push(...card.validateProperties().validationEvents.map((event) => event.message));
  const drawn = card.render();
  const found = [...drawn.querySelectorAll("a, img, script, iframe")];
  const links = found.map((each) => each.getAttribute("href") ?? each.outerHTML);
  return { events, text: drawn.textContent, links, bold: drawn.querySelectorAll("b, i, em").length };
}

const cards = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cards.map(read)));
