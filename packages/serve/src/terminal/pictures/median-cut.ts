// A palette for a picture by median cut: the colours' box is halved at the median of its longest side, again and again.

/** Colours as 0xRRGGBB, and how many pixels have each. */
export type ColourCounts = ReadonlyMap<number, number>;

interface Box {
  readonly colours: readonly number[];
  /** Bits to shift to reach the channel that spreads most. */
  readonly shift: number;
  readonly spread: number;
}

const shifts: readonly number[] = [16, 8, 0];

/**
 * @param most - colours of the palette, 2 to 256
 * @returns for every colour, the colour of the palette that stands for it, 0xRRGGBB; itself if there are few enough
 */
export function medianCut(counts: ColourCounts, most: number): Map<number, number> {
  const all = [...counts.keys()];
  if (all.length <= most) return new Map(all.map((colour) => [colour, colour]));
  const boxes = [boxOf(all)];
  while (boxes.length < most) {
    const widest = boxes.reduce((best, box, index) => (box.spread > (boxes[best]?.spread ?? 0) ? index : best), 0);
    const box = boxes[widest];
    if (box === undefined || box.spread === 0) break;
    boxes.splice(widest, 1, ...halves(box, counts));
  }
  return new Map(
    boxes.flatMap(({ colours }) => {
      const mean = average(colours, counts);
      return colours.map((colour): [number, number] => [colour, mean]);
    }),
  );
}

function boxOf(colours: readonly number[]): Box {
  let box: Box = { colours, shift: 0, spread: 0 };
  for (const shift of shifts) {
    let least = 255;
    let greatest = 0;
    for (const colour of colours) {
      const value = (colour >> shift) & 255;
      least = Math.min(least, value);
      greatest = Math.max(greatest, value);
    }
    if (greatest - least > box.spread) box = { colours, shift, spread: greatest - least };
  }
  return box;
}

function halves({ colours, shift }: Box, counts: ColourCounts): [Box, Box] {
  const sorted = colours.toSorted((left, right) => ((left >> shift) & 255) - ((right >> shift) & 255));
  const half = pixels(sorted, counts) / 2;
  let seen = 0;
  const median = sorted.findIndex((colour) => (seen += counts.get(colour) ?? 0) >= half);
  const cut = Math.min(median + 1, sorted.length - 1);
  return [boxOf(sorted.slice(0, cut)), boxOf(sorted.slice(cut))];
}

function pixels(colours: readonly number[], counts: ColourCounts): number {
  return colours.reduce((sum, colour) => sum + (counts.get(colour) ?? 0), 0);
}

function average(colours: readonly number[], counts: ColourCounts): number {
  const total = pixels(colours, counts);
  return shifts.reduce((mean, shift) => {
    const sum = colours.reduce((part, colour) => part + ((colour >> shift) & 255) * (counts.get(colour) ?? 0), 0);
    return mean | (Math.round(sum / total) << shift);
  }, 0);
}
