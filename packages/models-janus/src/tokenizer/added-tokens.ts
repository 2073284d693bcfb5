// Finds added tokens in a text: at each position the longest one that matches.

/** An entry of tokenizer.json's `added_tokens`. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Control tokens such as the beginning of a text, as opposed to words that were added later. */
  readonly special: boolean;
}

/** A stretch of plain text, or an added token. */
export type Section = string | AddedToken;

interface Branch {
  token?: AddedToken;
  readonly branches: Map<string, Branch>;
}

/** Cuts texts at added tokens. Linear in the text for a fixed set of tokens. */
export class AddedTokenFinder {
  private readonly root: Branch = { branches: new Map() };

  constructor(tokens: readonly AddedToken[]) {
    for (const token of tokens) {
      let branch = this.root;
      for (let index = 0; index < token.content.length; index++) {
        const character = token.content.charAt(index);
        let next = branch.branches.get(character);
        if (next === undefined) branch.branches.set(character, (next = { branches: new Map() }));
        branch = next;
      }
      if (token.content.length > 0) branch.token = token;
    }
  }

  split(text: string): readonly Section[] {
    const sections: Section[] = [];
    let rest = 0;
    for (let position = 0; position < text.length;) {
      const token = this.matchAt(text, position);
      if (token === undefined) {
        position++;
        continue;
      }
      if (position > rest) sections.push(text.slice(rest, position));
      sections.push(token);
      position += token.content.length;
      rest = position;
    }
    if (rest < text.length) sections.push(text.slice(rest));
    return sections;
  }

  private matchAt(text: string, start: number): AddedToken | undefined {
    let longest: AddedToken | undefined;
    let branch: Branch | undefined = this.root;
    for (let position = start; position < text.length; position++) {
      branch = branch.branches.get(text.charAt(position));
      if (branch === undefined) break;
      longest = branch.token ?? longest;
    }
    return longest;
  }
}
