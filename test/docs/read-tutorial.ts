// A tutorial as its reader works through it: files to write, commands to type, and what is to be seen after each.
import { blocksOf, type DocsBlock } from './read-docs.ts';

/**
 * `line`: of the page, where the block begins. `staysOpen`: a program that goes on, in a terminal of its own. `needs`: what the reader
 * must have for it and a test does not; null: it can be run anywhere. `sees`: what is printed; null: nothing is said of it. `publishes`: the
 * reader puts the DNS records that were printed where the world sees them.
 */
export type TutorialStep = { readonly line: number } & (
  | { readonly kind: 'file'; readonly path: string; readonly text: string }
  | {
      readonly kind: 'commands';
      readonly text: string;
      readonly staysOpen: boolean;
      readonly needs: string | null;
      readonly sees: string | null;
      readonly publishes: boolean;
    }
  /** What a terminal that stays open shows since the step before. */
  | { readonly kind: 'terminal'; readonly sees: string }
);

type Commands = Extract<TutorialStep, { kind: 'commands' }>;

const isolated = /^# in a terminal of its own$/;
const needed = /^# needs (.+)$/;
const publication = '<!-- The test publishes these records. -->';

/**
 * The steps of a page in order. A shell block is typed, and the block of text behind it is what it prints; a block of log is what the
 * program in the other terminal prints. Every other block is a file, whose first line is a comment that names it. Throws for one that is
 * none of these.
 */
export function stepsOf(page: string): readonly TutorialStep[] {
  const blocks = blocksOf(page);
  const steps: TutorialStep[] = [];
  for (const [n, block] of blocks.entries()) {
    if (block.language !== 'text') {
      steps.push(stepOf(block));
      continue;
    }
    const last = steps.at(-1);
    if (last?.kind !== 'commands' || last.sees !== null) throw new Error(`line ${block.line}: of which command?`);
    const behind = page.split('\n').slice(block.line + block.lines.length - 1, blocks[n + 1]?.line);
    steps[steps.length - 1] = { ...last, sees: textOf(block), publishes: behind.includes(publication) };
  }
  return steps;
}

function stepOf(block: DocsBlock): TutorialStep {
  const { language, line } = block;
  if (language === 'sh') return commandsOf(block);
  return language === 'log' ? { line, kind: 'terminal', sees: textOf(block) } : fileOf(block);
}

function textOf({ lines }: DocsBlock): string {
  return lines.join('\n').trimEnd();
}

function commandsOf(block: DocsBlock): Commands {
  const { line, lines } = block;
  const [first = ''] = lines;
  const needs = needed.exec(first)?.[1] ?? null;
  const text = textOf(block);
  return { line, kind: 'commands', text, staysOpen: isolated.test(first), needs, sees: null, publishes: false };
}

function fileOf(block: DocsBlock): TutorialStep {
  const { line, lines } = block;
  const path = /^(?:\/\/|#) (\S+\.\w+)$/.exec(lines[0] ?? '')?.[1];
  if (path === undefined) throw new Error(`line ${line}: the first line of a file is a comment that names it`);
  return { line, kind: 'file', path, text: `${textOf(block)}\n` };
}

/** Whether what was printed is what the page shows, but for what differs each time. `…`: anything within a line; alone in a line: any lines. */
export function isAsShown(shown: string, printed: string): boolean {
  const lines = settled(shown).split('\n');
  const pattern = lines
    .map((line) => (line.trim() === '…' ? '(?:.*\n)*?' : `${line.split('…').map(literally).join('.*')}\n`))
    .join('');
  return new RegExp(`^${pattern}$`).test(`${settled(printed)}\n`);
}

/** Ids, times, dates, lengths and durations, each by one word. */
function settled(text: string): string {
  return text
    .replace(/\b[0-9A-HJKMNP-TV-Z]{26}\b/g, 'ID')
    .replace(/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+Z)?/g, 'TIME')
    .replace(/\b\d{4}\/\d\d\/\d\d\b/g, 'DATE')
    .replace(/\b\d+ bytes\b/g, 'N bytes')
    .replace(/[\d.]+ms\b/g, 'N ms')
    .replace(/ {2,}/g, '  ') // columns are as wide as what stands in them
    .replace(/[ \t]+$/gm, '')
    .trim();
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
