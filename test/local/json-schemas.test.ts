// What is published is what the program goes by.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { publishedSchemas } from '#local/publish-schemas.ts';

for (const [name, text] of Object.entries(publishedSchemas())) {
  test(`docs/schemas/${name} is up to date (else: node local/publish-schemas.ts)`, async () => {
    assert.equal(await readFile(new URL(`../../docs/schemas/${name}`, import.meta.url), 'utf8'), text);
  });
}

test('the published configuration schema knows every setting and asks for none', () => {
  const schema = JSON.parse(publishedSchemas()['pillarbox.schema.json'] ?? '');
  assert.deepEqual(schema.required ?? [], []);
  assert.equal(schema.additionalProperties, false);
  assert.ok('catchAll' in schema.properties.domains.additionalProperties.properties);
});
