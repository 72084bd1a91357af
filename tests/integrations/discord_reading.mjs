// Checks messages against the schema that Discord publishes, and reads their texts as its clients
// do, for test_discord.py.
//
// Arguments: the folder of the front end. Standard input: a JSON list of messages. Standard output:
// for each message its faults (one that Discord would take has none), and what its texts are read
// as: `kinds`, of which only `text`, `br` and `twemoji` (a letter that is an emoji) leave a text as
// it was, and `shown`.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { pathToFileURL } from "node:url";

const frontend = resolve(process.argv[2]);
const { parse } = createRequire(join(frontend, "package.json"))("discord-markdown-parser");
const file = "node_modules/discord-api-spec/build/discord-api-spec.zod.js";
const schemas = await import(pathToFileURL(join(frontend, file)));

function faults(message) {
  const read = schemas.IncomingWebhookRequestPartialSchema.safeParse(message);
  if (!read.success) {
    return read.error.issues.map((each) => `${each.path.join(".")}: ${each.message}`);
  }
  // The schema drops what it does not know: what is left must be all that was sent.
  return isDeepStrictEqual(read.data, message) ? [] : ["something in it is unknown to Discord"];
}

function texts(message) {
  const found = { content: message.content };
  for (const [at, embed] of (message.embeds ?? []).entries()) {
    found[`${at}.title`] = embed.title;
    if (embed.description) found[`${at}.description`] = embed.description;
    for (const [row, field] of (embed.fields ?? []).entries()) {
      found[`${at}.${row}.name`] = field.name;
      found[`${at}.${row}.value`] = field.value;
    }
  }
  return found;
}

function reading(text) {
  const nodes = parse(text, "extended");
  const shown = nodes.map((node) => (node.type === "br" ? "\n" : (node.content ?? node.name))).join("");
  return { kinds: [...new Set(nodes.map((node) => node.type))], shown };
}

function look(message) {
  const read = Object.entries(texts(message)).map(([place, text]) => [place, reading(text ?? "")]);
  return { faults: faults(message), read: Object.fromEntries(read) };
}

const messages = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(messages.map(look)));
