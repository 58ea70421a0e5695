// The list of mail, newest first: one entry for each message, however many mailboxes it was delivered to.
import { z } from 'zod';
import { isMessageId } from '#mail/header/message-id.ts';
import { type Problem, problem } from '#mail/problem.ts';
import type { MailAdmin, MessageQuery } from '#ops/admin.ts';
import { json } from '#ops/api/answer.ts';
import { cursor, limit, mailboxOrDomain, searchText } from '#ops/api/parameters.ts';
import { useCase } from '#ops/api/use-case.ts';
import type { Clock } from '#pipeline/contract/ports.ts';
import type { MarkedSummary } from './message-summary.ts';

/** The last row of the page, and its message, which may have more rows behind it and must not be listed twice. */
const cursorSchema = z.strictObject({ after: z.string(), id: z.string() });
type Cursor = z.infer<typeof cursorSchema>;

const copiesAtOnce = 20;
/** A search that is slow in finding is answered with what it has found by then. */
const searchMs = 5_000;

type ListDeps = { readonly admin: MailAdmin; readonly clock: Clock };

/** `mailboxes`: those it was delivered to, `mailbox` the first of them; verdicts are words of RFC 8601. */
export const listedMessage = z.object({
  id: z.string(),
  receivedAt: z.string(),
  mailbox: z.string(),
  mailboxes: z.array(z.string()),
  from: z.string().nullable(),
  to: z.array(z.string()),
  subject: z.string().nullable(),
  preview: z.string(),
  bytes: z.number(),
  disposition: z.enum(['accept', 'quarantine']),
  authentication: z.object({ spf: z.string(), dkim: z.string(), dmarc: z.string() }),
  attachments: z.number(),
  problems: z.number(),
  read: z.boolean(),
  tags: z.array(z.string()),
});

type ListedMessage = z.output<typeof listedMessage>;

export const listMessages = useCase({
  about: 'mail, newest first',
  takes: { mailbox: mailboxOrDomain, q: searchText, limit, after: cursor(readCursor) },
  gives: z.object({ messages: z.array(listedMessage), next: z.string().nullable() }),
  answer: async (deps: ListDeps, { q, after = null, ...given }) =>
    json(await gather(deps, { ...given, q: q || null, cursor: after })),
});

/** The entry of a message, from the summaries of its copies. */
export function listed(copies: readonly [MarkedSummary, ...MarkedSummary[]]): ListedMessage {
  const [{ id, receivedAt, mailbox, from, to, subject, preview, bytes, attachments, problems, ...rest }] = copies;
  const { spf, dkim, dmarc, read, tags } = rest;
  const mailboxes = [...new Set(copies.map(({ mailbox }) => mailbox))].sort();
  const quarantined = copies.some(({ action }) => action === 'quarantine');
  return {
    id,
    receivedAt,
    mailbox: mailboxes[0] ?? mailbox,
    mailboxes,
    from,
    to: [...to],
    subject,
    preview,
    bytes,
    disposition: quarantined ? 'quarantine' : 'accept',
    authentication: { spf, dkim, dmarc },
    attachments,
    problems,
    read,
    tags: [...tags],
  };
}

async function gather(
  { admin, clock }: ListDeps,
  query: Omit<MessageQuery, 'after'> & { readonly cursor: Cursor | null },
): Promise<{ messages: readonly ListedMessage[]; next: string | null }> {
  const { mailbox, q, limit, cursor } = query;
  const byId = new Map<string, [MarkedSummary, ...MarkedSummary[]]>();
  let after = cursor?.after ?? null;
  let last = cursor?.id ?? null;
  const end = clock() + searchMs;
  do {
    const page = await admin.messages({ mailbox, q, limit: limit - byId.size, after });
    for (const summary of page.messages) {
      if (summary.id !== cursor?.id) add(byId, summary);
      last = summary.id;
    }
    after = page.next;
    if (page.messages.length === 0) break; // the search ran out of time: `next` leads on
  } while (after !== null && byId.size < limit && clock() < end);
  // A page of rows may end between the copies of a message, unless its cursor is an id.
  if (after !== null && !isMessageId(after)) after = await addCopies(admin, byId, { mailbox, after, id: last ?? '' });
  const next = after === null ? null : writeCursor({ after, id: last ?? '' });
  return { messages: [...byId.values()].map(listed), next };
}

/** Adds the copies of the last message that are behind the page; answers the cursor behind them. */
async function addCopies(
  admin: MailAdmin,
  byId: Map<string, [MarkedSummary, ...MarkedSummary[]]>,
  { mailbox, after, id }: Pick<MessageQuery, 'mailbox'> & Cursor,
): Promise<string | null> {
  let behind: string | null = after;
  while (behind !== null) {
    // Without `q`: a search for the next match could read all mail.
    const page = await admin.messages({ mailbox, q: null, limit: copiesAtOnce, after: behind });
    const other = page.messages.findIndex((summary) => summary.id !== id);
    const copies = other < 0 ? page.messages : page.messages.slice(0, other);
    if (byId.has(id)) for (const copy of copies) add(byId, copy);
    if (other >= 0) return copies.at(-1)?.key ?? behind;
    if (page.messages.length === 0) return page.next;
    behind = page.next;
  }
  return null;
}

function add(byId: Map<string, [MarkedSummary, ...MarkedSummary[]]>, summary: MarkedSummary): void {
  const copies = byId.get(summary.id);
  if (copies === undefined) byId.set(summary.id, [summary]);
  else copies.push(summary);
}

function writeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString('base64url');
}

function readCursor(given: string): Cursor | Problem {
  try {
    const read = cursorSchema.safeParse(JSON.parse(Buffer.from(given, 'base64url').toString('utf8')));
    return read.data ?? problem('no cursor of this list');
  } catch {
    return problem('no JSON');
  }
}
