import { expect, test } from "vitest";
import { fits, isDue } from "../widget/proactive";

const rules = {
  after_seconds: 5,
  scroll_percent: null,
  exit_intent: false,
  url_pattern: "*",
  cap_hours: 24,
};

test.each([
  ["*", "/anything", true],
  ["/pricing", "/pricing", true],
  ["/pricing", "/pricing/eu", false],
  ["/pricing*", "/pricing/eu", true],
  ["/*/offer", "/de/offer", true],
  ["/a.b", "/aXb", false],
  ["/(x", "/(x", true],
])("the pattern %s and the address %s: %s", (pattern, path, expected) => {
  expect(fits(pattern, path)).toBe(expected);
});

test("it opens by itself once within its hours", () => {
  expect(isDue(rules, undefined, 0)).toBe(true);
  expect(isDue(rules, 0, 23 * 3_600_000)).toBe(false);
  expect(isDue(rules, 0, 24 * 3_600_000)).toBe(true);
});
