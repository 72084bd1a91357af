// Checks signed messages with the published Node library, for test_signing.py and test_webhook.py.
//
// Arguments: the folder of the front end. Standard input: a JSON list of {secret, headers, body},
// the body in base64. Standard output: for each "" or why the library refused it.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const require = createRequire(join(resolve(process.argv[2]), "package.json"));
const { Webhook } = require("standardwebhooks");

function read({ secret, headers, body }) {
  try {
    new Webhook(secret).verify(Buffer.from(body, "base64"), headers);
    return "";
  } catch (error) {
    return String(error.message);
  }
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(read)));
