// Which colour of the world a paint is, when it may be mixed with the background: thin shapes never reach their full
// colour in a soft drawing.

import { type Background, type Colour, coloursOn, type Rgb, rgbDistance, rgbOfColour } from '../world/vocabulary.js';

/** Least share of its colour that the strongest pixels of a shape have. */
const leastShare = 0.7;
const mostShare = 1.05;

/** How near a paint must come to the way from the background to a colour to be a mixture of the two. */
const mixtureDistance = 45;

/** The paint that lies between two others, at `share` of the way. */
function between(from: Rgb, to: Rgb, share: number): Rgb {
  const at = (channel: 0 | 1 | 2) => from[channel] + (to[channel] - from[channel]) * share;
  return [at(0), at(1), at(2)];
}

/** Share of the way from one paint to another that comes nearest to a third. */
export function shareAlong(paint: Rgb, from: Rgb, to: Rgb): number {
  let dot = 0;
  let square = 0;
  for (const channel of [0, 1, 2] as const) {
    const way = to[channel] - from[channel];
    dot += (paint[channel] - from[channel]) * way;
    square += way * way;
  }
  return dot / square;
}

/** The colour nearest to a paint. */
export function nearestColour(paint: Rgb, colours: readonly Colour[]): Colour {
  return leastBy(colours, (colour) => rgbDistance(paint, rgbOfColour[colour]));
}

/** The colour that a shape has, of which the strongest pixels have this paint. */
export function colourOfShape(paint: Rgb, background: Background, backgroundPaint: Rgb): Colour {
  return leastBy(coloursOn[background], (colour) => {
    const full = rgbOfColour[colour];
    const share = Math.min(Math.max(shareAlong(paint, backgroundPaint, full), leastShare), mostShare);
    return rgbDistance(paint, between(backgroundPaint, full, share));
  });
}

/** Whether the edge of a shape looks like another colour, as orange over dark looks brown. */
export function isMixture(colour: Colour, of: Colour, backgroundPaint: Rgb): boolean {
  const share = shareAlong(rgbOfColour[colour], backgroundPaint, rgbOfColour[of]);
  if (share < 0.15 || share > 0.9) return false;
  return rgbDistance(rgbOfColour[colour], between(backgroundPaint, rgbOfColour[of], share)) < mixtureDistance;
}

function leastBy(colours: readonly Colour[], cost: (colour: Colour) => number): Colour {
  let best: Colour = 'red';
  let least = Infinity;
  for (const colour of colours) {
    const value = cost(colour);
    if (value < least) [best, least] = [colour, value];
  }
  return best;
}
