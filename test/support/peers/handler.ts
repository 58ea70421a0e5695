// A handler as a developer writes it, for a hook of one machine and for a function on AWS.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Answers the first time that the record failed; then writes down what it was told of and what it read. */
const handler = `import { appendFileSync } from 'node:fs';
import { readMail } from '${import.meta.resolve('#consume/exports.ts')}';

export async function handler(event) {
  const [{ messageId, attributes, body }] = event.Records;
  if (attributes.ApproximateReceiveCount === '1') return { batchItemFailures: [{ itemIdentifier: messageId }] };
  const [mail] = await readMail(event);
  const names = (value) => typeof value !== 'object' || value === null ? typeof value
    : Array.isArray(value) ? value.map(names) : Object.fromEntries(Object.keys(value).sort().map((name) => [name, names(value[name])]));
  const told = { from: mail.from, subject: mail.subject, text: await mail.readText(), bucket: mail.storedAt.bucket,
    attachment: Buffer.from(await mail.readAttachment(mail.attachments[0])).toString(),
    isRaw: Buffer.from(await mail.readRaw()).includes('Subject: the bells ring'),
    event: names(event), eventBridge: names(JSON.parse(body)) };
  appendFileSync(import.meta.dirname + '/told.jsonl', JSON.stringify(told) + '\\n');
}
`;

/** Writes it into a folder: the name of its file. */
export function writeHandler(folder: string): string {
  writeFileSync(join(folder, 'ticket.mjs'), handler);
  return 'ticket.mjs';
}

/** What the handler in that folder was told of; empty until it is. */
export function toldIn(folder: string): any[] {
  try {
    const lines = readFileSync(join(folder, 'told.jsonl'), 'utf8').trim().split('\n');
    return lines.map((line) => JSON.parse(line));
  } catch {
    return [];
  }
}
