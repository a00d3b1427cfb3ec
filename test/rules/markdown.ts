// SPDX-License-Identifier: Apache-2.0
// Reads fenced code blocks out of Markdown, so that tests run what a document shows.

export interface Block {
  readonly language: string;
  readonly text: string;
}

/** The fenced blocks of a document in order. */
export function blocksOf(markdown: string): readonly Block[] {
  return [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({
    language: language ?? '',
    text: text ?? '',
  }));
}

/** The first block in a language; throws when there is none. */
export function firstBlock(markdown: string, language: string): string {
  const block = blocksOf(markdown).find(found => found.language === language);
  if (block === undefined) throw new Error(`no block of ${language}`);
  return block.text;
}
