// Every link of the documentation within the repository leads somewhere: the file is there, and the heading in it.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { home } from './read-docs.ts';

const pages = globSync('{README,CHANGELOG}.md', { cwd: home }).concat(globSync('docs/**/*.md', { cwd: home }));

test('links of the documentation lead to files and headings that are there', () => {
  const dead = pages.flatMap((page) =>
    linksOf(page)
      .filter((to) => !leads(page, to))
      .map((to) => `${page}: ${to}`),
  );
  assert.deepEqual(dead, []);
});

test('every page can be reached from the README', () => {
  const reached = new Set(['README.md']);
  for (const page of reached) {
    for (const to of linksOf(page)) {
      const file = relative(home, join(home, dirname(page), to.split('#')[0] ?? ''));
      if (pages.includes(file)) reached.add(file);
    }
  }
  assert.deepEqual(
    pages.filter((page) => !reached.has(page)),
    [],
  );
});

/** Targets within the repository, of links and pictures; none of those in blocks or spans of code. */
function linksOf(page: string): readonly string[] {
  const prose = textOf(page).replace(/`[^`\n]+`/g, 'code');
  const targets = [...prose.matchAll(/\]\(<?([^)\s>]+)>?\)/g)].map(([, to = '']) => to);
  return targets.filter((to) => !/^[a-z]+:/.test(to));
}

function leads(page: string, to: string): boolean {
  const [path = '', heading] = to.split('#');
  const file = path === '' ? page : join(dirname(page), path);
  if (!existsSync(join(home, file))) return false;
  return heading === undefined || headingsOf(file).has(decodeURIComponent(heading));
}

/** As GitHub names them; one that stands twice has a number. */
function headingsOf(file: string): ReadonlySet<string> {
  const names = new Map<string, number>();
  const anchors = [...textOf(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => {
    const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*_]/g, (mark) => (mark === '_' ? '_' : ''));
    const name = text
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-');
    const count = names.get(name) ?? 0;
    names.set(name, count + 1);
    return count === 0 ? name : `${name}-${count}`;
  });
  return new Set(anchors);
}

/** Without its blocks of code. */
function textOf(page: string): string {
  return readFileSync(join(home, page), 'utf8').replace(/^( *)```[\s\S]*?^ *```$/gm, '');
}
