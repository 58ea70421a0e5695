// The pages to look things up in are what the program's own tables and schemas make: `npm run docs:reference` writes them anew.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { refusalTable } from '#ops/api/refusals.ts';
import { home } from '#test/docs/read-docs.ts';
import { apiPage } from './api-page.ts';
import { configurationTable } from './configuration-table.ts';
import { eventsPage } from './events-page.ts';

const marks = ['<!-- From here to the end of the table: `npm run docs:reference`. -->\n\n', '\n\n'] as const;

for (const { page, made } of [
  { page: 'docs/api.md', made: apiPage },
  { page: 'docs/events.md', made: eventsPage },
  { page: 'docs/configuration.md', made: () => withTable(read('docs/configuration.md'), configurationTable()) },
]) {
  test(`${page} is what the schemas say`, () => {
    const text = made();
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(join(home, page), text);
    assert.equal(read(page), text, 'npm run docs:reference writes it anew');
  });
}

test('each word of the table of refusals is one that the API says', () => {
  const sources = ['ops', 'local/http'].flatMap((folder) => sourcesIn(folder)).join('\n');
  const unused = Object.keys(refusalTable).filter((code) => !new RegExp(`[ (]'${code}'[,;)]`).test(sources));
  assert.deepEqual(unused, []);
});

function read(page: string): string {
  return readFileSync(join(home, page), { encoding: 'utf8', flag: 'a+' });
}

/** A page with the table between the marks. */
function withTable(page: string, table: string): string {
  const begin = page.indexOf(marks[0]) + marks[0].length;
  assert.ok(begin > marks[0].length, 'the mark is there');
  return `${page.slice(0, begin)}${table}${page.slice(page.indexOf(marks[1], begin))}`;
}

function sourcesIn(folder: string): readonly string[] {
  const files = readdirSync(join(home, folder), { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.ts') && file !== 'api/refusals.ts')
    .map((file) => read(join(folder, file)));
}
