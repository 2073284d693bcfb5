import { describe, expect, it } from 'vitest';

import { guessProtocol } from './picture-protocol.js';

const terminal = { isTTY: true, getColorDepth: () => 24 };
const guess = (environment: NodeJS.ProcessEnv, facts = terminal) => guessProtocol(facts, environment);

describe('guessProtocol', () => {
  it.each([
    [{ KITTY_WINDOW_ID: '1' }, 'kitty'],
    [{ TERM: 'xterm-kitty' }, 'kitty'],
    [{ TERM: 'xterm-ghostty' }, 'kitty'],
    [{ TERM_PROGRAM: 'ghostty' }, 'kitty'],
    [{ KONSOLE_VERSION: '230800' }, 'kitty'],
    [{ TERM_PROGRAM: 'iTerm.app' }, 'iterm2'],
    [{ LC_TERMINAL: 'iTerm2', SSH_TTY: '/dev/pts/1' }, 'iterm2'],
    [{ TERM_PROGRAM: 'WezTerm' }, 'iterm2'],
    [{ WEZTERM_PANE: '0' }, 'iterm2'],
    [{ TERM: 'foot' }, 'sixel'],
    [{ TERM: 'mlterm-256color' }, 'sixel'],
  ] as const)('knows the terminal of %j', (environment, protocol) => {
    expect(guess(environment)).toEqual({ protocol, worthAsking: false });
  });

  it('takes half blocks, or nothing, in a terminal that it does not know, and would ask it', () => {
    expect(guess({ TERM: 'xterm-256color' })).toEqual({ protocol: 'blocks', worthAsking: true });
    expect(guess({ TERM: 'xterm' }, { ...terminal, getColorDepth: () => 8 })).toEqual({
      protocol: 'none',
      worthAsking: true,
    });
    expect(guess({ KONSOLE_VERSION: '210800' }).protocol).toBe('blocks');
  });

  it('asks no terminal that is far away, or that has no answer', () => {
    expect(guess({ SSH_CONNECTION: 'a b' })).toEqual({ protocol: 'blocks', worthAsking: false });
    expect(guess({ TERM: 'linux' }).worthAsking).toBe(false);
  });

  it('does not trust what tmux and screen pass on', () => {
    expect(guess({ TMUX: '/tmp/tmux', KITTY_WINDOW_ID: '1' }).protocol).toBe('blocks');
    expect(guess({ TERM: 'screen-256color', TERM_PROGRAM: 'iTerm.app' }).protocol).toBe('blocks');
  });

  it('shows nothing where that is no terminal, or wants no colours', () => {
    const nothing = { protocol: 'none', worthAsking: false };
    expect(guess({ KITTY_WINDOW_ID: '1' }, { ...terminal, isTTY: false })).toEqual(nothing);
    expect(guess({ KITTY_WINDOW_ID: '1', NO_COLOR: '1' })).toEqual(nothing);
    expect(guess({ TERM: 'dumb' })).toEqual(nothing);
  });
});
