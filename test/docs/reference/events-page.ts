// docs/events.md: the form of every event, made of the schemas that the program itself goes by.
import { z } from 'zod';
import { webhookHeaders, webhookType } from '#functions/notify/webhook-message.ts';
import { streamedEvents } from '#ops/api/streamed-events.ts';
import type { NotifyJob } from '#pipeline/contract/jobs.ts';
import { messageKey } from '#pipeline/contract/keys.ts';
import { mailEventSchema, mailEventSource, mailEventType } from '#pipeline/contract/mail-event.ts';
import { messageLinkSchema } from '#pipeline/contract/message-link.ts';
import { inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';
import { shapeText } from '#test/docs/shape-text.ts';
import { markdownTable } from '#test/support/peers/client-docs.ts';
import { sampleMessage } from '#test/support/samples/sample-message.ts';

/** The whole page. */
export function eventsPage(): string {
  return `# Events

<!-- Written by \`npm run docs:reference\` from the schemas. -->

The forms of all that tells of mail. Which of these ways suits you, and how failures are met: [consume.md](consume.md).

## The object in the store

Each message is one JSON object for each mailbox, \`${sampleKey()}\`, written once and last: its creation is the event
([what to know of it](inbox-message.md), [JSON Schema](schemas/inbox-message.schema.json)).

${fenced(shapeText(inboxMessageSchema))}

## EventBridge

With option \`events\`: \`source\` is \`${mailEventSource}\`, \`detail-type\` is \`${mailEventType}\`, and \`detail\` has

${fieldsOf(mailEventSchema)}

A \`MailRule\` hands it to a queue, a function or a topic. A handler on one machine gets the same ([JSON Schema](schemas/mail-event.schema.json)).

## Webhooks

A \`POST\` with the headers ${headerNames().join(', ')}, signed as [Standard Webhooks](https://www.standardwebhooks.com) say. Its body is

${fenced(`{\n  type: ${JSON.stringify(webhookType)};\n  timestamp: string;\n  data: the object in the store, or on AWS a link to one that is over 256 KiB\n}`)}

The link is

${fenced(shapeText(messageLinkSchema))}

## Server-sent events

\`GET /api/events\` of [the API](api.md) tells of these, each as a line \`event:\` with the name and a line \`data:\` with the JSON:

${Object.entries(streamedEvents)
  .map(([name, { about, data }]) => `### ${name}\n\n${sentence(about)}\n\n${fenced(shapeText(data))}`)
  .join('\n\n')}
`;
}

function sampleKey(): string {
  const { receivedAt } = sampleMessage();
  const key = messageKey('inbox', { domain: 'DOMAIN', localPart: 'MAILBOX', id: 'ID', receivedAt } as never);
  return key.replace(/\d{4}\/\d\d\/\d\d/, 'YYYY/MM/DD');
}

function headerNames(): readonly string[] {
  const job = { id: 'ID', key: 'KEY', hook: 'NAME' } as NotifyJob;
  const signed = { body: new Uint8Array(), key: new Uint8Array(1), sentAtMs: 0 };
  return Object.keys(webhookHeaders(job, signed)).map((name) => `\`${name}\``);
}

function fieldsOf(schema: z.ZodType): string {
  const { properties = {} } = z.toJSONSchema(schema, { unrepresentable: 'any' });
  const rows = Object.entries<any>(properties).map(([name, { type, anyOf = [], ...field }]) => {
    const types = [type ?? anyOf.map((one: any) => one.type)].flat().join(' or ');
    return [`\`${name}\``, types, field.description ?? ''];
  });
  return markdownTable(['field', 'type', 'what it is'], rows);
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function fenced(text: string): string {
  return `\`\`\`\n${text}\n\`\`\``;
}
