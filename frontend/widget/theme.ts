// Colours: whatever a site chooses, text on it can be read (contrast 4.5 or more).

export type Colour = readonly [number, number, number];

const ENOUGH = 4.5;
const BLACK: Colour = [0, 0, 0];
const WHITE: Colour = [255, 255, 255];

/** A colour from `#rgb` or `#rrggbb`; null for all else. */
export function parse(text: string): Colour | null {
  const hex = /^\s*#([\da-f]{3}|[\da-f]{6})\s*$/i.exec(text)?.[1];
  if (!hex) return null;
  const number = parseInt(hex.length > 3 ? hex : hex.replace(/./g, "$&$&"), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

/** The relative luminance of WCAG 2.2. */
export function luminance(colour: Colour): number {
  const [r, g, b] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** The contrast ratio of WCAG 2.2, 1 to 21. */
export function contrast(one: Colour, other: Colour): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

/** Black or white: whichever can be read better; one of them always reaches 4.5. */
export function inkOn(ground: Colour): Colour {
  return contrast(ground, WHITE) >= ENOUGH ? WHITE : BLACK;
}

/** The colour itself where it can be read on the ground, else moved away from it until it can. */
export function readableOn(ground: Colour, colour: Colour): Colour {
  const goal = luminance(ground) > 0.18 ? BLACK : WHITE;
  for (let step = 0; step <= 20; step++) {
    const moved = colour.map((part, i) =>
      Math.round(part + ((goal[i] as number) - part) * (step / 20)),
    ) as unknown as Colour;
    if (contrast(moved, ground) >= ENOUGH) return moved;
  }
  return goal;
}

export function css(colour: Colour): string {
  return `rgb(${colour.join(" ")})`;
}
