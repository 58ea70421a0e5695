// Stage parse: MIME → one JSON object per local recipient in `inbox/` (or `quarantine/`), attachments beside it.
// Reads the raw message once, streams what it finds to fixed keys, and writes the JSON last: that is the event which
// users consume. Everything is written with ifAbsent, so a second run of the same job changes nothing. A message that a person
// releases from quarantine comes as a job once more.

import { describeHead } from '#functions/parse/header/describe-head.ts';
import type { LocalRecipient } from '#mail/envelope/recipient.ts';
import { claimsToJudge } from '#mail/header/authserv-id.ts';
import { readHeaderOf } from '#mail/header/read-header.ts';
import type { ParseJob } from '#pipeline/contract/jobs.ts';
import { messageKey } from '#pipeline/contract/keys.ts';
import type { Handout } from '#pipeline/contract/ports.ts';
import { writeInboxMessage } from '#pipeline/contract/records/inbox-message.ts';
import { reportJobs } from '#pipeline/contract/report-jobs.ts';
import { messageLost } from '#pipeline/run/own-fault.ts';
import { createBodies, type ParsedContent } from './assemble-message.ts';
import { type KeptObject, keepObject } from './keep-object.ts';
import type { ParseDeps } from './parse-deps.ts';
import { createProblemList, type ProblemList } from './problems.ts';
import { endQuarantine, isReleased, notInInbox, stillQuarantined, toTellOf } from './release-quarantined.ts';
import { tellConsumers } from './tell-consumers.ts';

/** `written`: the keys of the JSON that are new; `present`: those that an earlier run had written already. */
export type ParseOutcome = {
  readonly outcome: 'stored';
  readonly written: readonly string[];
  readonly present: readonly string[];
  readonly problems: number;
};

/** Recipients whose JSON is written at once: S3 answers each in some 30 ms, the embedded store takes them in one transaction. */
const writtenTogether = 32;

/** Parses one job's message for its recipients. Throws where the raw message is missing or the store fails. */
export async function parse(deps: ParseDeps, given: ParseJob, handout: Handout): Promise<ParseOutcome> {
  const startedAt = deps.clock();
  const wanted = await whereWanted(deps, given);
  if (wanted.envelope.recipients.length === 0) {
    deps.log.info('message-stored', { id: given.id, written: 0 });
    return { outcome: 'stored', written: [], present: [], problems: 0 };
  }
  const content = await readContent(deps, wanted);
  // Reading may take a while: what was deleted meanwhile must not come back.
  const job = isReleased(wanted) ? await stillQuarantined(deps.store, wanted) : wanted;
  const { written, present } = await writeMessages(deps, job, content);
  const all = recipientsByKey(job);
  const recipients = isReleased(job) ? await toTellOf(deps, { recipients: all, written, handout }) : all;
  await tellConsumers(deps, job, { content, recipients });
  if (isReleased(job)) await endQuarantine(deps.store, job, recipients.values());
  await reportDelivered(deps, job);
  const problems = content.problems.length;
  const { action } = job.disposition;
  const now = deps.clock();
  deps.metrics.measure('parse-seconds', (now - startedAt) / 1_000);
  for (const { code } of content.problems) deps.metrics.count('parse-problems', { code });
  const said = { id: job.id, written: written.length, ...unusual({ present: present.length, problems }, handout) };
  if (written.length > 0) {
    const seconds = (now - Date.parse(job.receivedAt)) / 1_000;
    deps.metrics.count('messages-stored', { action }, written.length);
    if (!isReleased(job)) deps.metrics.measure('accepted-to-inbox-seconds', seconds);
    deps.log.info('message-stored', { ...said, seconds });
  } else deps.log.info('message-stored', said);
  return { outcome: 'stored', written, present, problems };
}

/** The job for the recipients whose JSON is to be there after it. */
function whereWanted({ store }: ParseDeps, job: ParseJob): Promise<ParseJob> | ParseJob {
  if (isReleased(job)) return stillQuarantined(store, job);
  return job.disposition.action === 'quarantine' ? notInInbox(store, job) : job;
}

/** What a line of the log says only if it is not as usual: lines for each message are paid for by length. */
function unusual(counts: Readonly<Record<string, number>>, { receiveCount }: Handout): Record<string, number> {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  return { ...Object.fromEntries(some), ...(receiveCount > 1 ? { receiveCount } : {}) };
}

/** The key of each mailbox's JSON and the recipient it is for: an alias and a mention that meet are one message. */
function recipientsByKey(job: ParseJob): Map<string, LocalRecipient> {
  const folder = job.disposition.action === 'accept' ? 'inbox' : 'quarantine';
  const byKey = new Map<string, LocalRecipient>();
  for (const recipient of job.envelope.recipients) {
    const key = messageKey(folder, { ...recipient.mailbox, id: job.id, receivedAt: job.receivedAt });
    if (!byKey.has(key)) byKey.set(key, recipient);
  }
  return byKey;
}

/** Runs the parser over the raw message; what it finds is stored on the way. */
async function readContent(deps: ParseDeps, job: ParseJob): Promise<ParsedContent> {
  const { hostname, parse: limits } = await deps.config.current();
  const kept = new Map<string, KeptObject>();
  const parsed = await deps.parser.parse({
    bytes: job.raw.bytes,
    budgetMs: limits.budgetSeconds * 1000,
    memoryMiB: limits.memoryMiB,
    open: () => openRaw(deps, job),
    keep: async (start, content) => {
      const object = await keepObject(deps.store, job, start, content);
      kept.set(object.key, object);
    },
  });
  const problems = createProblemList(parsed.problems);
  const head = parsed.head ?? (await readHeadOnly(deps, job, problems));
  const isForged = head.headers.some((field) => claimsToJudge(field, hostname));
  if (isForged) problems.add('forged-authentication-results');
  return { head, text: parsed.text, html: parsed.html, kept: [...kept.values()], problems: problems.list() };
}

/**
 * Reports success that was asked for, now that the JSON is there; in quarantine too, since no other delivery follows. A second run
 * sends the report's job again; deliver makes one report of them.
 */
async function reportDelivered({ jobs, clock }: ParseDeps, job: ParseJob): Promise<void> {
  const recipients = job.envelope.recipients.map(({ mailbox: _, ...one }) => ({ ...one, originalForwardPath: null }));
  for (const report of reportJobs(job, recipients, { deliveredLocally: true, nowMs: clock() })) {
    await jobs.send('deliver', report, { group: report.domain });
  }
}

async function openRaw(deps: ParseDeps, job: ParseJob): Promise<AsyncIterable<Uint8Array>> {
  const raw = await deps.store.get(job.raw.key);
  if (raw === null) throw messageLost(job.raw.key);
  return raw.body;
}

/** Where the parser did not get through the header: it is read here, in linear time. */
async function readHeadOnly(deps: ParseDeps, job: ParseJob, problems: ProblemList): Promise<ParsedContent['head']> {
  const chunks = (await openRaw(deps, job))[Symbol.asyncIterator]();
  const { header } = await readHeaderOf(chunks);
  await chunks.return?.();
  const { problems: found, ...head } = describeHead(header);
  for (const { code, detail } of found) problems.add(code, detail);
  return head;
}

/** Writes the JSON of all recipients, a few at a time; `present`: those that an earlier run had written. */
async function writeMessages(
  { store }: ParseDeps,
  job: ParseJob,
  content: ParsedContent,
): Promise<Pick<ParseOutcome, 'written' | 'present'>> {
  const bodies = createBodies(job, content);
  const entries = [...recipientsByKey(job)];
  const written: string[] = [];
  const present: string[] = [];
  for (let at = 0; at < entries.length; at += writtenTogether) {
    const some = entries.slice(at, at + writtenTogether);
    const outcomes = await Promise.all(
      some.map(([key, recipient]) => writeInboxMessage(store, key, bodies(recipient, entries.length === 1))),
    );
    for (const [n, [key]] of some.entries()) (outcomes[n]?.outcome === 'stored' ? written : present).push(key);
  }
  return { written, present };
}
