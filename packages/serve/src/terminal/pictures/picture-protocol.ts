// How a terminal shows pictures, told from its environment. Nothing is written or asked here.

/** Ways to show a picture, best first. */
export const pictureProtocols = ['kitty', 'iterm2', 'sixel', 'blocks', 'none'] as const;
export type PictureProtocol = (typeof pictureProtocols)[number];

/** What is known of a terminal; `process.stderr` is one. */
export interface TerminalFacts {
  readonly isTTY?: boolean;
  getColorDepth?: () => number;
}

/** The choice, and whether the terminal could be asked for something better. */
export interface ProtocolGuess {
  readonly protocol: PictureProtocol;
  readonly worthAsking: boolean;
}

/** Terminals by `TERM_PROGRAM` or `LC_TERMINAL`, in lower case. */
const programs: Readonly<Record<string, PictureProtocol>> = {
  ghostty: 'kitty',
  'iterm.app': 'iterm2',
  iterm2: 'iterm2',
  mintty: 'iterm2',
  wezterm: 'iterm2',
};

/** Terminals by the start of `TERM`. */
const terms: readonly (readonly [start: string, protocol: PictureProtocol])[] = [
  ['xterm-kitty', 'kitty'],
  ['xterm-ghostty', 'kitty'],
  ['foot', 'sixel'],
  ['mlterm', 'sixel'],
  ['contour', 'sixel'],
];

/** @param terminal - where the picture would go */
export function guessProtocol(terminal: TerminalFacts, environment: NodeJS.ProcessEnv): ProtocolGuess {
  const value = (name: string) => environment[name] ?? '';
  const term = value('TERM');
  if (terminal.isTTY !== true || term === 'dumb' || value('NO_COLOR') !== '') {
    return { protocol: 'none', worthAsking: false };
  }
  // Inside tmux or screen the variables tell of the terminal outside, which sees only what they let through.
  const isInside = value('TMUX') !== '' || value('STY') !== '' || /^(tmux|screen)/.test(term);
  const known = isInside ? undefined : knownTerminal(value, term);
  if (known !== undefined) return { protocol: known, worthAsking: false };
  // From afar an answer may come later than anybody waits for it, and would then look like typing.
  const isRemote = value('SSH_CONNECTION') !== '' || value('SSH_TTY') !== '';
  const hasColours = (terminal.getColorDepth?.() ?? 1) >= 24;
  return { protocol: hasColours ? 'blocks' : 'none', worthAsking: !isRemote && term !== 'linux' };
}

function knownTerminal(value: (name: string) => string, term: string): PictureProtocol | undefined {
  if (value('KITTY_WINDOW_ID') !== '') return 'kitty';
  if (value('WEZTERM_PANE') !== '') return 'iterm2';
  // Konsole counts 22.04.0 as 220400.
  if (Number(value('KONSOLE_VERSION')) >= 220_400) return 'kitty';
  return (
    programs[value('TERM_PROGRAM').toLowerCase()] ??
    programs[value('LC_TERMINAL').toLowerCase()] ??
    terms.find(([start]) => term.startsWith(start))?.[1]
  );
}
