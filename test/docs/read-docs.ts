// The commands that the documentation tells people to type: each line of its shell blocks, and what its sentences quote as a command.
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** `line`: where it begins, from 1. `text`: as written; a command of a block may have several lines. */
export type DocsCommand = { readonly file: string; readonly line: number; readonly text: string };

export const home = fileURLToPath(new URL('../..', import.meta.url));

/** Each page by its path in the repository, but for those that a test writes. */
export function docsPages(): readonly string[] {
  const found = globSync('{README.md,docs/*.md}', { cwd: home });
  return found.filter((file) => !/^docs\/(?:api|cli|clients|events|frameworks)\.md$/.test(file)).sort();
}

const shell = /^(?:sh|bash|shell|console)$/;
const program = /^(?:npx|npm|pillarbox|cdk|aws|docker|swaks|curl|dig|sha256sum|printf|node|sed|rm|export|cd) \S/;

/** In the order of the page. */
export function commandsOf(file: string): readonly DocsCommand[] {
  const text = readFileSync(`${home}/${file}`, 'utf8');
  const blocks = blocksOf(text);
  const prose = blocks.reduce((rest, { whole }) => rest.replace(whole, () => whole.replace(/[^\n]/g, '')), text);
  const ofBlocks = blocks.flatMap(({ language, line, lines }) =>
    commandsOfBlock(lines, line).filter((one) => shell.test(language) || (language === '' && program.test(one.text))),
  );
  return [...ofBlocks, ...quotedIn(prose)].sort((a, b) => a.line - b.line).map((one) => ({ file, ...one }));
}

export type DocsBlock = {
  readonly whole: string;
  readonly language: string;
  /** The line of the first of `lines`. */
  readonly line: number;
  readonly lines: readonly string[];
};

/** Blocks in fences, without the indent of the list that they are in. */
export function blocksOf(text: string): readonly DocsBlock[] {
  return [...text.matchAll(/^( *)```(\w*)\n([\s\S]*?)^ *```$/gm)].map(
    ({ 0: whole, 1: indent = '', 2: language = '', 3: code = '', index }) => ({
      whole,
      language,
      line: lineAt(text, index) + 1,
      lines: code.split('\n').map((one) => (one.startsWith(indent) ? one.slice(indent.length) : one)),
    }),
  );
}

type Found = Omit<DocsCommand, 'file'>;

/** A command goes on in the next line behind `\`, `|`, `&&`, and until its `done`. */
function commandsOfBlock(lines: readonly string[], firstLine: number): readonly Found[] {
  const commands: Found[] = [];
  let [open, from] = ['', firstLine];
  for (const [n, line] of lines.entries()) {
    if (open === '') from = firstLine + n;
    open = open === '' ? line : `${open}\n${line}`;
    const loops = [...open.matchAll(/\bdo$/gm)].length - [...open.matchAll(/^\s*done\b/gm)].length;
    if (/(?:\\|\||&&)$/.test(open) || loops > 0) continue;
    if (open.trim() !== '') commands.push({ line: from, text: open });
    open = '';
  }
  return commands;
}

/** What has `…` in it is no command, but a part of one. */
function quotedIn(prose: string): readonly Found[] {
  return [...prose.matchAll(/`([^`]+)`/g)].flatMap(({ 1: quoted = '', index }) => {
    const text = quoted.replace(/\s+/g, ' ');
    return program.test(text) && !text.includes('…') ? [{ line: lineAt(prose, index), text }] : [];
  });
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
