// Draws the history of a page pool as an SVG: a row for each page, a column for each step, a colour for each sequence.
// Pure text. Colours follow the reader's light or dark mode, also where the picture is an <img>.

/** What a page holds at one step. */
export interface PageState {
  /** Sequences that hold it, by name; several share it, none of them when it is free or cached. */
  readonly holders: readonly string[];
  /** Kept for its contents although no sequence holds it. */
  readonly cached: boolean;
  /** Share of its slots that hold a token, 0 to 1. */
  readonly filled: number;
}

/** All pages at one step, and pages that sequences have in host memory. */
export interface PoolFrame {
  readonly pages: readonly PageState[];
  /** Name of the sequence for each page in host memory. */
  readonly host: readonly string[];
}

/** Something worth pointing at; the number stands above the picture. */
export interface PoolEvent {
  readonly step: number;
  readonly title: string;
}

/** A pool from its first step to its last. */
export interface PoolHistory {
  readonly frames: readonly PoolFrame[];
  readonly events: readonly PoolEvent[];
  /** Rows of host memory to draw. */
  readonly hostPages: number;
}

const row = 13;
/** Pages in host memory are drawn thinner: what matters is how many there are. */
const hostRow = 5;
const left = 58;
const top = 34;
const width = 960;
const hostGap = 18;
/** Tol's bright scheme: told apart by colour-blind readers, on white and on black. */
const palette = ['#4477aa', '#ee6677', '#228833', '#ccbb44', '#aa3377', '#66ccee', '#ee8833', '#7a7af0'];

/** One rectangle; equal neighbours in a row are drawn as one. */
interface Block {
  readonly y: number;
  readonly height: number;
  readonly fill: string;
}

/** The picture as a complete SVG file. */
export function drawPoolHistory({ frames, events, hostPages }: PoolHistory): string {
  const pages = frames[0]?.pages.length ?? 0;
  const column = (width - left - 12) / frames.length;
  const names = [...new Set(frames.flatMap(({ pages: states }) => states.flatMap(({ holders }) => holders)))].sort();
  const colour = (name: string) => `s${names.indexOf(name) % palette.length}`;
  const hostTop = top + pages * row + hostGap;
  const bottom = hostPages > 0 ? hostTop + hostPages * hostRow : top + pages * row;
  const legendRows = Math.ceil(events.length / 2);
  const height = bottom + 44 + legendRows * 17 + 22;

  const body: string[] = [];
  for (let page = 0; page < pages; page++) {
    body.push(
      ...runs(
        frames.map((frame) => blocksOf(frame.pages[page], top + page * row, colour)),
        column,
      ),
    );
  }
  for (let page = 0; page < hostPages; page++) {
    const states = frames.map(({ host }) => host[page]);
    const y = hostTop + page * hostRow;
    body.push(
      ...runs(
        states.map((name) => (name === undefined ? [] : [{ y, height: hostRow - 1, fill: colour(name) }])),
        column,
      ),
    );
  }
  const number = (index: number, x: number, y: number) =>
    `<circle cx="${round(x)}" cy="${y}" r="8" class="mark"/><text x="${round(x)}" y="${y + 3.5}" class="number">${index + 1}</text>`;
  const marks = events.map(({ step }, index) => {
    const x = left + step * column;
    return `<path d="M${round(x)} 22V${bottom}" class="line"/>${number(index, x, 14)}`;
  });
  const legend = events.map(({ title }, index) => {
    const x = left + (index < legendRows ? 0 : (width - left) / 2);
    const y = bottom + 46 + (index % legendRows) * 17;
    return `${number(index, x + 2, y)}<text x="${round(x) + 16}" y="${y + 4}">${title}</text>`;
  });
  const swatch = (fill: string, index: number, part = 1) =>
    `<rect x="${left + index * 78}" y="${bottom + 16}" width="12" height="${11 * part}" class="${fill}"/>`;
  const keys = [
    ...names.map((name) => ({ fills: [colour(name)], text: name })),
    { fills: names.slice(0, 2).map(colour).reverse(), text: 'shared' },
    { fills: ['cached'], text: 'cached' },
    { fills: ['free'], text: 'free' },
  ].map(
    ({ fills, text }, index) =>
      fills.map((fill, order) => swatch(fill, index, 1 - order / fills.length)).join('') +
      `<text x="${left + index * 78 + 18}" y="${bottom + 26}">${text}</text>`,
  );
  const labels = [
    ...[0, pages - 1].map((page) => `<text x="${left - 8}" y="${top + page * row + 10}" class="end">${page}</text>`),
    `<text x="16" y="${top + (pages * row) / 2}" class="side" transform="rotate(-90 16 ${top + (pages * row) / 2})">pages of the device</text>`,
    hostPages > 0 ? `<text x="${left - 8}" y="${hostTop + (hostPages * hostRow) / 2 + 4}" class="end">host</text>` : '',
    `<text x="${width - 12}" y="${bottom + 26}" class="end">time →</text>`,
  ];
  const frame = (y: number, height: number) =>
    `<rect x="${left}" y="${y - 1}" width="${width - left - 12}" height="${height}" class="free"/>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${describe(events)}">`,
    style(),
    frame(top, pages * row),
    hostPages > 0 ? frame(hostTop, hostPages * hostRow) : '',
    ...body,
    ...marks,
    ...labels,
    ...keys,
    ...legend,
    '</svg>',
    '',
  ].join('\n');
}

function blocksOf(state: PageState | undefined, y: number, colour: (name: string) => string): Block[] {
  if (state === undefined) return [];
  const inner = row - 2;
  if (state.cached) return [{ y, height: inner, fill: 'cached' }];
  // Holders share the height; a page that is not full leaves its lower part empty.
  const height = (inner * state.filled) / Math.max(1, state.holders.length);
  return state.holders.map((name, index) => ({ y: y + index * height, height, fill: colour(name) }));
}

/** Rectangles of one page over time, equal neighbours joined. */
function runs(columns: readonly (readonly Block[])[], column: number): string[] {
  const drawn: string[] = [];
  let start = 0;
  for (let step = 1; step <= columns.length; step++) {
    if (step < columns.length && JSON.stringify(columns[step]) === JSON.stringify(columns[start])) continue;
    for (const { y, height, fill } of columns[start] ?? []) {
      const [x, end] = [left + start * column, left + step * column];
      drawn.push(
        `<rect x="${round(x)}" y="${round(y)}" width="${round(end - x)}" height="${round(height)}" class="${fill}"/>`,
      );
    }
    start = step;
  }
  return drawn;
}

function style(): string {
  const colours = palette.map((fill, index) => `.s${index}{fill:${fill}}`).join('');
  return (
    '<defs><pattern id="dots" width="5" height="5" patternUnits="userSpaceOnUse">' +
    '<rect width="5" height="5" class="ground"/><circle cx="2.5" cy="2.5" r="1.3" class="dot"/></pattern></defs>' +
    `<style>${colours}` +
    'text{font:12px system-ui,sans-serif;fill:#24292f}.end{text-anchor:end}.side{text-anchor:middle}' +
    '.number{text-anchor:middle;font-size:10px;fill:#fff}.mark{fill:#57606a}.line{stroke:#57606a;stroke-dasharray:2 3;fill:none}' +
    '.free{fill:none;stroke:#d0d7de}.cached{fill:url(#dots)}.ground{fill:#e6e9ed}.dot{fill:#6e7781}' +
    '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.mark{fill:#8b949e}.number{fill:#0d1117}.line{stroke:#8b949e}' +
    '.free{stroke:#444c56}.ground{fill:#2d333b}.dot{fill:#9aa4ae}}</style>'
  );
}

const round = (value: number) => Math.round(value * 10) / 10;

const describe = (events: readonly PoolEvent[]) =>
  `The life of a page pool: ${events.map(({ title }, index) => `${index + 1} ${title}`).join('; ')}`;
