import { expect, test } from "vitest";
import { contrast, inkOn, parse, readableOn, type Colour } from "../widget/theme";

const WHITE: Colour = [255, 255, 255];
const grounds: Colour[] = [WHITE, [241, 244, 242], [22, 28, 26], [35, 43, 40]];
const colours: Colour[] = [];
for (let r = 0; r < 256; r += 51)
  for (let g = 0; g < 256; g += 51) for (let b = 0; b < 256; b += 51) colours.push([r, g, b]);

test("a colour is read from its hex digits, and nothing else is", () => {
  expect(parse("#0b6b4f")).toEqual([11, 107, 79]);
  expect(parse(" #FFF ")).toEqual([255, 255, 255]);
  for (const text of ["", "red", "#12", "#12345", "url(#fff)", "#fff; }"]) {
    expect(parse(text)).toBeNull();
  }
});

test("contrast is what WCAG says it is", () => {
  expect(contrast([0, 0, 0], WHITE)).toBeCloseTo(21);
  expect(contrast([119, 119, 119], WHITE)).toBeCloseTo(4.48, 2);
});

test("text on any colour can be read", () => {
  for (const colour of colours) expect(contrast(inkOn(colour), colour)).toBeGreaterThanOrEqual(4.5);
});

test("any colour becomes readable on each of our grounds", () => {
  for (const ground of grounds)
    for (const colour of colours) {
      expect(contrast(readableOn(ground, colour), ground)).toBeGreaterThanOrEqual(4.5);
    }
});

test("a colour that can be read stays what it is", () => {
  expect(readableOn(WHITE, [11, 107, 79])).toEqual([11, 107, 79]);
});
