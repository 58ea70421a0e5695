// `node local/publish-schemas.ts`: writes docs/schemas/ anew. A test says when that is due.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publishedSchemas } from './json-schemas.ts';

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'docs', 'schemas');

await mkdir(folder, { recursive: true });
for (const [name, text] of Object.entries(publishedSchemas())) await writeFile(join(folder, name), text);
