// The published JSON Schemas and the OpenAPI description, made from the zod schemas that the program itself goes by. `node local/publish-schemas.ts` writes
// docs/schemas/ anew; a test says when that is due.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { openApi } from '#ops/api/openapi.ts';
import { serviceRoutes } from '#ops/api/routes.ts';
import { configSchema } from '#pipeline/config/config.ts';
import { mailEventSchema } from '#pipeline/contract/mail-event.ts';
import { inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';

/** File name in `docs/schemas/` → text. The configuration's is that of the file as written, before defaults. */
export function publishedSchemas(): Readonly<Record<string, string>> {
  const config = z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' });
  const message = z.toJSONSchema(inboxMessageSchema, { io: 'output', unrepresentable: 'any' });
  const event = z.toJSONSchema(mailEventSchema, { io: 'output', unrepresentable: 'any' });
  return {
    'pillarbox.schema.json': textOf('Pillarbox configuration (pillarbox.json)', config),
    'inbox-message.schema.json': textOf('A message in inbox/ or quarantine/, version 1', message),
    'mail-event.schema.json': textOf('The event that mail is stored, version 1', event),
    'openapi.json': `${JSON.stringify(openApi(serviceRoutes), null, 2)}\n`,
  };
}

function textOf(title: string, schema: object): string {
  return `${JSON.stringify({ title, ...schema }, null, 2)}\n`;
}

if (import.meta.main) {
  const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'docs', 'schemas');
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(publishedSchemas())) await writeFile(join(folder, name), text);
}
