// docs/inbox-message.md says what the code does.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { problemCodes } from '#functions/parse/problems.ts';
import { inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';

const page = readFileSync(new URL('../../../docs/inbox-message.md', import.meta.url), 'utf8');

test('the documented example is an inbox message', () => {
  inboxMessageSchema.parse(JSON.parse(/```json\n([\s\S]*?)```/.exec(page)?.[1] ?? ''));
});

test('the documented table has every problem code with its meaning', () => {
  const rows = page.replaceAll(/ +\|/g, ' |');
  for (const [code, meaning] of Object.entries(problemCodes)) {
    assert.ok(rows.includes(`| \`${code}\` | ${meaning} |`), code);
  }
});
