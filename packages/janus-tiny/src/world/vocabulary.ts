// What there is in the world: kinds, colours, sizes, places and backgrounds, each with its name and its measure.

/** Red, green, blue, 0 to 255. */
export type Rgb = readonly [number, number, number];

/** Side of every picture, pixels. */
export const pictureSize = 64;

/** Side of one of the 3 x 3 cells that name a place, pixels. */
export const cellSize = pictureSize / 3;

export const kinds = ['circle', 'ring', 'square', 'diamond', 'triangle', 'star', 'cross'] as const;
export type Kind = (typeof kinds)[number];

/** Several of a kind. */
export const pluralOf: Readonly<Record<Kind, string>> = {
  circle: 'circles',
  ring: 'rings',
  square: 'squares',
  diamond: 'diamonds',
  triangle: 'triangles',
  star: 'stars',
  cross: 'crosses',
};

export const colours = [
  'red',
  'orange',
  'yellow',
  'green',
  'cyan',
  'blue',
  'purple',
  'pink',
  'brown',
  'black',
] as const;
export type Colour = (typeof colours)[number];

/** The paint of each colour. */
export const rgbOfColour: Readonly<Record<Colour, Rgb>> = {
  red: [220, 36, 36],
  orange: [247, 132, 24],
  yellow: [250, 216, 32],
  green: [40, 158, 62],
  cyan: [24, 200, 204],
  blue: [36, 80, 216],
  purple: [134, 48, 172],
  pink: [248, 124, 186],
  brown: [138, 84, 44],
  black: [18, 18, 22],
};

export const sizes = ['small', 'medium', 'large'] as const;
export type Size = (typeof sizes)[number];

/** Radius of a circle of each size, pixels; other kinds are about as large. */
export const radiusOfSize: Readonly<Record<Size, number>> = { small: 6, medium: 8.6, large: 12 };

/** The nine places in reading order. */
export const places = [
  'top left',
  'top centre',
  'top right',
  'middle left',
  'centre',
  'middle right',
  'bottom left',
  'bottom centre',
  'bottom right',
] as const;
export type Place = (typeof places)[number];

/** Column 0 to 2 of a place, from the left. */
export function columnOf(place: Place): number {
  return places.indexOf(place) % 3;
}

/** Row 0 to 2 of a place, from the top. */
export function rowOf(place: Place): number {
  return Math.floor(places.indexOf(place) / 3);
}

export const backgrounds = ['white', 'light grey', 'cream', 'pale blue', 'dark'] as const;
export type Background = (typeof backgrounds)[number];

/** The paint of each background. */
export const rgbOfBackground: Readonly<Record<Background, Rgb>> = {
  white: [250, 250, 250],
  'light grey': [204, 204, 206],
  cream: [252, 238, 202],
  'pale blue': [196, 222, 250],
  dark: [54, 58, 68],
};

/** How far apart two paints are. */
export function rgbDistance(left: Rgb, right: Rgb): number {
  return Math.sqrt((left[0] - right[0]) ** 2 + (left[1] - right[1]) ** 2 + (left[2] - right[2]) ** 2);
}

const leastContrast = 85;

/** Colours that are easily seen on a background: all ten, except black on a dark one. */
export const coloursOn: Readonly<Record<Background, readonly Colour[]>> = Object.fromEntries(
  backgrounds.map((background) => [
    background,
    colours.filter((colour) => rgbDistance(rgbOfColour[colour], rgbOfBackground[background]) >= leastContrast),
  ]),
) as unknown as Record<Background, readonly Colour[]>;
