// The messages between the stage and its parse worker. Both ends are this code, but the worker reads hostile bytes, so its
// messages are checked by a schema.
import { z } from 'zod';
import { isProblemCode, type ProblemCode } from '#functions/parse/problems.ts';
import { headFields, inboxMessageSchema } from '#pipeline/contract/records/inbox-message.ts';

const problem = z.object({ code: z.custom<ProblemCode>(isProblemCode), detail: z.string() });
const head = z.object(headFields);
const attachment = inboxMessageSchema.shape.attachments.element.omit({ bytes: true, sha256: true, key: true });

/** What is known of an object before its bytes: an attachment counted from 1, or a body too large for the JSON. */
const objectStart = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('attachment'), n: z.int().positive(), attachment }),
  z.object({ kind: z.literal('text') }),
  z.object({ kind: z.literal('html') }),
]);

const objectKind = z.enum(['attachment', 'text', 'html']);

/** The text and the HTML of a message: inline, or `object` (it came as one), or null where there is none. */
const body = z.union([z.object({ inline: z.string() }), z.literal('object'), z.null()]);

/** From the worker. `more`: one chunk of input, not the last, was taken in. `chunk` belongs to the `object` of its kind last begun. */
export const fromWorkerSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('more') }),
  z.object({ type: z.literal('head'), head, problems: z.array(problem) }),
  z.object({ type: z.literal('object'), start: objectStart }),
  z.object({ type: z.literal('chunk'), of: objectKind, bytes: z.instanceof(Uint8Array) }),
  z.object({ type: z.literal('object-end'), of: objectKind }),
  z.object({ type: z.literal('done'), text: body, html: body, problems: z.array(problem) }),
]);

/**
 * To the worker. `job` numbers the messages of one worker from 1; what comes late for a finished one is ignored.
 * `isLast`: that is all of the message. `taken`: so many bytes of chunks were taken off.
 */
export type ToWorker =
  | { readonly job: number; readonly type: 'input'; readonly bytes: Uint8Array; readonly isLast: boolean }
  | { readonly job: number; readonly type: 'taken'; readonly bytes: number };

export type FromWorker = z.infer<typeof fromWorkerSchema>;
export type ObjectStart = Readonly<z.infer<typeof objectStart>>;
export type ObjectKind = z.infer<typeof objectKind>;
export type ParsedHead = Readonly<z.infer<typeof head>>;
export type ParsedBody = z.infer<typeof body>;
export type ParsedProblem = Readonly<z.infer<typeof problem>>;
