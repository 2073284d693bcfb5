// Horizontal bars in groups as an SVG, the longest of a group the best. Pure text; colours follow the reader's light or
// dark mode, also where the picture is an <img>.

/** One bar. */
export interface Bar {
  readonly label: string;
  /** As it stands behind the bar. */
  readonly figure: string;
  /** Against the other bars of the picture's group; any unit. */
  readonly length: number;
  /** Half the width of the whisker at its end, in the unit of the length. */
  readonly deviation?: number;
  readonly kind: BarKind;
}

/** Which colour a bar has. */
export type BarKind = 'ours' | 'other' | 'eager';

/** Bars that share a scale. */
export interface BarGroup {
  readonly title: string;
  readonly bars: readonly Bar[];
  /** A dotted line across the group, in the unit of the lengths. */
  readonly limit?: number | undefined;
}

/** A picture of several groups. */
export interface BarsPicture {
  readonly groups: readonly BarGroup[];
  /** Lines below. */
  readonly notes: readonly string[];
}

const width = 760;
const left = 212;
const characterWidth = 7;
const barHeight = 15;
const row = 19;
const groupGap = 34;
const noteRow = 17;

/** The picture as a complete SVG file. */
export function drawBars({ groups, notes }: BarsPicture): string {
  const body: string[] = [];
  let y = 4;
  const figures = groups.flatMap(({ bars }) => bars.map(({ figure }) => widthOf(figure)));
  const right = Math.max(0, ...figures) + 8;
  for (const { title, bars, limit } of groups) {
    const longest = Math.max(limit ?? 0, ...bars.map(({ length, deviation = 0 }) => length + deviation));
    const scale = (width - left - right) / longest;
    body.push(`<text x="${left}" y="${y + 16}" class="title">${escape(title)}</text>`);
    y += 24;
    const top = y;
    const edge = limit === undefined ? width : left + limit * scale;
    for (const { label, figure, length, deviation = 0, kind } of bars) {
      const end = left + length * scale;
      const tip = end + deviation * scale;
      const middle = y + barHeight / 2;
      const strong = kind === 'ours' ? ' strong' : '';
      // A figure that would lie across the dotted line stands inside its bar.
      const inside = tip + 6 + widthOf(figure) > edge && end - left > widthOf(figure) + 12;
      body.push(
        `<text x="${left - 8}" y="${y + 12}" class="end${strong}">${escape(label)}</text>` +
          `<rect x="${left}" y="${y}" width="${round(Math.max(1, end - left))}" height="${barHeight}" rx="2" class="${kind}"/>` +
          whisker(end, deviation * scale, middle) +
          (inside
            ? `<text x="${round(end - 6)}" y="${y + 12}" class="figure end inside">${escape(figure)}</text>`
            : `<text x="${round(tip + 6)}" y="${y + 12}" class="figure${strong}">${escape(figure)}</text>`),
      );
      y += row;
    }
    if (limit !== undefined) {
      const x = round(left + limit * scale);
      body.push(`<path d="M${x} ${top - 4}V${y}" class="limit"/>`);
    }
    y += groupGap - row;
  }
  const lines = notes.map((note, index) => {
    return `<text x="8" y="${y + 10 + index * noteRow}" class="note">${escape(note)}</text>`;
  });
  const height = y + 10 + notes.length * noteRow;
  const label = escape(describe(groups));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">`,
    style,
    ...body,
    ...lines,
    '</svg>',
    '',
  ].join('\n');
}

/** Colours and fonts of all pictures made from results. */
export const style =
  '<style>text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-weight:600;font-size:13px}.end{text-anchor:end}' +
  '.strong{font-weight:600}.inside{font-weight:600;fill:#fff}.note{font-size:11px;fill:#57606a}.figure{font-variant-numeric:tabular-nums}' +
  '.ours{fill:#2f6fb3}.other{fill:#b6bfc9}.eager{fill:#d9a441}.limit{stroke:#57606a;stroke-dasharray:2 3;fill:none}' +
  '.whisker{stroke:#24292f;fill:none}.outline{fill:none;stroke:#b6bfc9}' +
  '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.inside{fill:#0d1117}.note{fill:#9aa4ae}.ours{fill:#5aa2ea}.other{fill:#57606a}' +
  '.eager{fill:#c08a2c}.limit{stroke:#9aa4ae}.whisker{stroke:#e6edf3}.outline{stroke:#57606a}}</style>';

function whisker(x: number, half: number, y: number): string {
  if (half < 0.5) return '';
  const [from, to] = [round(x - half), round(x + half)];
  return `<path d="M${from} ${y}H${to}M${from} ${y - 3}v6M${to} ${y - 3}v6" class="whisker"/>`;
}

/** About what a text takes, in any of the fonts that a reader may have. */
const widthOf = (text: string) => text.length * characterWidth;

/** For readers who hear the picture: every figure. */
function describe(groups: readonly BarGroup[]): string {
  return groups
    .map(({ title, bars }) => `${title}: ${bars.map(({ label, figure }) => `${label} ${figure}`).join(', ')}`)
    .join('; ');
}

const round = (value: number) => Math.round(value * 10) / 10;

/** Text that may stand in a file of markup. */
export const escape = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
